"""What a training leaves behind for the metrics: every array against a slow and plain computation of the same number."""

import itertools
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib import dynamics, storage
from pipeline_lib.config import GrandFull, Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import models
from pipeline_lib.learn.embed import distance_to_class_mean, embed, gradient_norm
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.record import EPOCH_CURVES, _Recorder, record
from pipeline_lib.learn.train import build, predict, train

CPU = torch.device("cpu")
SEEDS = Seeds(0, "scoring", 0)
TRAIN, TEST, EPOCHS = 60, 20, 3


def recipe(**changes) -> Recipe:
    settings = {
        "model": "small_cnn",
        "width": 4,
        "optimiser": {"name": "sgd", "lr": 0.05},
        "schedule": {"name": "onecycle"},
        "epochs": EPOCHS,
        "batch": 16,
        "precision": "float32",
        "augmentation": {"crop_padding": 1, "rotation": 10},
    }
    return Recipe.model_validate(settings | changes)


def blobs(classes=3, train=TRAIN) -> Dataset:
    """A bright row per class, under noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(train + TEST) % classes
    images = rng.integers(0, 120, size=(train + TEST, 1, 8, 8))
    images[np.arange(len(labels)), 0, labels % 8] += 100
    images = images.astype(np.uint8)
    names = [str(number) for number in range(classes)]
    return Dataset(images[:train], labels[:train], images[train:], labels[train:], names, [str(i) for i in range(train)])


@pytest.fixture(scope="module")
def data():
    return Data(blobs(), recipe(), CPU)


@pytest.fixture(scope="module")
def recorded(data):
    return record(data, recipe(), SEEDS)


def test_every_array_has_its_shape_and_type(data, recorded):
    shapes = {name: (array.shape, array.dtype) for name, array in recorded.arrays.items()}
    assert shapes == {
        "logits": ((EPOCHS, TRAIN, 3), np.float16),
        "prediction": ((EPOCHS, TRAIN), np.int16),
        "initial": ((TRAIN, 3), np.float16),
        "grand": ((EPOCHS + 1, TRAIN), np.float32),
        "prototype_distance": ((TRAIN,), np.float32),
        "training_logits": ((EPOCHS, TRAIN, 2), np.float32),
        "test_logits": ((EPOCHS, data.test.examples, 3), np.float16),
    }
    assert tuple(recorded.curves) == EPOCH_CURVES


def test_logits_are_the_clean_ones_of_the_final_model(data, recorded):
    clean = predict(recorded.trained.model, data.train, recipe())
    assert np.array_equal(recorded.arrays["logits"][-1], clean.half().numpy())
    assert np.array_equal(recorded.arrays["prediction"][-1], clean.argmax(dim=1).numpy())
    right = recorded.arrays["prediction"] == data.train_labels.numpy()
    assert recorded.curves["train_accuracy"] == pytest.approx(right.mean(axis=1))
    assert np.isnan(recorded.curves["validation_loss"]).all()


def test_the_logits_of_the_test_images_are_kept(data, recorded):
    tested = predict(recorded.trained.model, data.test, recipe())
    assert np.array_equal(recorded.arrays["test_logits"][-1], tested.half().numpy())
    right = recorded.arrays["test_logits"].argmax(axis=2) == data.test_labels.numpy()
    assert recorded.curves["test_accuracy"] == pytest.approx(right.mean(axis=1))


def test_the_logits_before_the_first_step_are_kept(data, recorded):
    untrained = predict(build(data, recipe(), SEEDS), data.train, recipe())
    assert np.array_equal(recorded.arrays["initial"], untrained.half().numpy())


def test_whole_gradients_are_kept_after_the_epochs_named(data, recorded):
    section = GrandFull(epochs=[3, 0], layers=["fc"])
    full = record(data, recipe(), SEEDS, grand_full=section).arrays
    assert full["grand_full_epochs"].tolist() == [3, 0]
    assert full["grand_full"].dtype == np.float32
    assert full["grand_full"] == pytest.approx(recorded.arrays["grand"][[3, 0]], rel=1e-4), "the last layer alone: the closed form"
    for name, array in recorded.arrays.items():
        assert np.array_equal(array, full[name]), "and nothing else is changed by it"


def test_logits_too_large_for_half_precision_stay_finite(data, monkeypatch):
    large = torch.tensor([[1e6, -1e6, 0.0]]).repeat(TRAIN, 1)
    monkeypatch.setattr("pipeline_lib.learn.record.embed", lambda *_: (large, torch.ones(TRAIN, 2)))
    assert record(data, recipe(epochs=1), SEEDS).arrays["logits"][0, 0].tolist() == [65504, -65504, 0]


def test_recording_does_not_change_the_training(data, recorded):
    alone = train(data, np.arange(TRAIN), recipe(), SEEDS).model.state_dict()
    assert all(torch.equal(value, alone[name]) for name, value in recorded.trained.model.state_dict().items())


def test_seconds_count_a_pass_before_the_training_and_one_after_every_epoch(data, monkeypatch):
    clock = SimpleNamespace(perf_counter=itertools.count().__next__)  # every look at it is a second later
    monkeypatch.setattr("pipeline_lib.learn.record.time", clock)
    assert record(data, recipe(), SEEDS).seconds == EPOCHS + 1


def one_by_one(model: nn.Module, data: Data) -> list[float]:
    """Norm of the last layer's gradient by autograd, one example at a time, in double precision."""
    model = model.double().eval()
    images = data.train.clean(torch.arange(TRAIN)).double()
    norms = []
    for image, label in zip(images, data.train_labels, strict=True):
        loss = nn.functional.cross_entropy(model(image[None]), label[None])
        gradients = torch.autograd.grad(loss, [model.fc.weight, model.fc.bias])
        norms.append(torch.cat([g.flatten() for g in gradients]).norm().item())
    return norms


def test_grand_is_the_norm_of_each_examples_own_gradient(data, recorded):
    trained = build(data, recipe(), SEEDS)
    trained.load_state_dict(recorded.trained.model.state_dict())
    assert recorded.arrays["grand"][-1] == pytest.approx(one_by_one(trained, data), rel=1e-5, abs=1e-6)


def test_the_first_row_of_grand_is_the_untrained_model(data, recorded):
    assert recorded.arrays["grand"][0] == pytest.approx(one_by_one(build(data, recipe(), SEEDS), data), rel=1e-5)


def test_grand_of_a_right_prediction_is_smaller_than_of_a_wrong_one():
    logits, features = torch.tensor([[5.0, 0.0], [5.0, 0.0]]), torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    right, wrong = gradient_norm(logits, features, torch.tensor([0, 1])).tolist()
    p = 1 / (1 + np.exp(5))
    assert right == pytest.approx(2**0.5 * p * 26**0.5, rel=1e-5)
    assert wrong == pytest.approx(2**0.5 * (1 - p) * 26**0.5, rel=1e-5)


def test_prototype_distance_is_that_to_the_mean_of_the_own_class(data, recorded):
    trained = build(data, recipe(), SEEDS)
    trained.load_state_dict(recorded.trained.model.state_dict())
    backbone, _ = models.features_of(trained.eval())
    with torch.no_grad():
        features = backbone(data.train.clean(torch.arange(TRAIN))).numpy().astype(np.float64)
    labels = data.train_labels.numpy()
    means = np.array([features[labels == label].mean(axis=0) for label in range(3)])
    expected = np.linalg.norm(features - means[labels], axis=1)
    assert recorded.arrays["prototype_distance"] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_training_logits_are_those_before_the_step_that_the_example_took_part_in(data):
    """One batch an epoch and no augmentation: those of the first epoch are the untrained model's, in training mode."""
    settings = recipe(batch=TRAIN, augmentation={})
    kept = record(data, settings, SEEDS).arrays["training_logits"]
    untrained, labels = build(data, settings, SEEDS).train(), data.train_labels
    with torch.no_grad():
        logits = untrained(data.train.clean(torch.arange(TRAIN))).numpy()
    for example, row in enumerate(logits):
        others = np.delete(row, labels[example])
        assert kept[0, example] == pytest.approx([row[labels[example]], others.max()], abs=1e-4)
    assert not np.allclose(kept[0], kept[1])


def test_training_logits_of_augmented_images_make_up_the_loss():
    """Of two classes the two logits say the whole loss: log(1 + exp(other - own)), over the batches as they were drawn."""
    two = Data(blobs(classes=2), recipe(), CPU)
    recorded = record(two, recipe(), SEEDS)
    kept = recorded.arrays["training_logits"].astype(np.float64)
    loss = np.log1p(np.exp(kept[..., 1] - kept[..., 0])).mean(axis=1)
    assert loss == pytest.approx(recorded.trained.train_loss, rel=1e-5)


def test_training_logits_of_an_image_that_a_sampler_repeats_are_the_mean(monkeypatch):
    unequal = blobs(classes=2)
    unequal = replace(unequal, train_labels=np.array([0] * 50 + [1] * 10))
    settings, seen = recipe(balance="sampler", epochs=1), []
    watch = _Recorder.watch
    monkeypatch.setattr(_Recorder, "watch", lambda self, *seeing: (seen.append(seeing[1:]), watch(self, *seeing)))
    kept = record(Data(unequal, settings, CPU), settings, SEEDS).arrays["training_logits"][0]
    [(index, logits)] = seen
    shown = np.bincount(index.numpy(), minlength=60)
    assert set(shown[50:]) == {3}
    assert np.isnan(kept[shown == 0]).all()
    assert np.isfinite(kept[shown > 0]).all()
    assert kept[55] == pytest.approx(logits[index == 55].numpy().mean(axis=0)[[1, 0]], rel=1e-5)


def test_an_example_that_validates_has_no_training_logits(data):
    settings = recipe(schedule={"name": "plateau", "validation": 0.2})
    arrays = record(data, settings, SEEDS).arrays["training_logits"]
    held_out = np.isnan(arrays).all(axis=(0, 2))
    assert held_out.sum() == TRAIN / 5
    assert np.isfinite(arrays[:, ~held_out]).all()


def test_distance_to_the_class_mean_by_hand_with_a_class_that_has_no_example():
    features = torch.tensor([[0.0, 0.0], [6.0, 8.0], [1.0, 1.0]])
    assert distance_to_class_mean(features, torch.tensor([0, 0, 2]), classes=4).tolist() == [5, 5, 0]


@pytest.mark.parametrize("name", models.BUILDERS)
def test_every_model_gives_its_features_in_the_same_pass_as_its_logits(name):
    settings, size = recipe(model=name, augmentation={}), 32
    images = np.random.default_rng(0).integers(0, 256, (5, 3, size, size)).astype(np.uint8)
    few = Data(Dataset(images, np.arange(5) % 2, images, np.arange(5) % 2, ["a", "b"], [""] * 5), settings, CPU)
    model, passes = build(few, settings, SEEDS), []
    model.register_forward_hook(lambda *_: passes.append(1))
    logits, features = embed(model, few.train, settings)
    assert len(passes) == 1
    assert features.dtype == torch.float32
    assert torch.allclose(model.fc(features), logits, atol=1e-5)
    assert not model.fc._forward_pre_hooks, "the hook is taken off again"


def test_features_come_in_the_order_asked_for(data):
    model, index = build(data, recipe(), SEEDS), torch.tensor([5, 3, 40])
    everything, some = embed(model, data.train, recipe()), embed(model, data.train, recipe(), index)
    assert all(torch.allclose(part, whole[index], atol=1e-5) for part, whole in zip(some, everything, strict=True))


def test_more_than_127_classes():
    """Defect of the thesis's code: predictions in 8 bits."""
    many = Data(blobs(classes=300, train=600), recipe(), CPU)
    arrays = record(many, recipe(epochs=1, optimiser={"name": "sgd", "lr": 0.5}), SEEDS).arrays
    assert arrays["prediction"].min() >= 0
    assert arrays["prediction"].max() > 127


def test_what_is_written_is_what_is_read(tmp_path, data, recorded):
    path, labels = tmp_path / "seed0.h5", data.train_labels.numpy()
    storage.write_h5(path, recorded.arrays | recorded.curves, {"dataset": "fingerprint", "seed": 0})
    with storage.open_h5(path, "train_seed", EPOCH_CURVES) as file:
        assert file["test_accuracy"][:].tolist() == recorded.curves["test_accuracy"].tolist()
    with ExitStack() as stack:
        read = dynamics.open_source(stack, [path], {}, labels, "fingerprint")
        assert np.array_equal(read.grand(0, 0), recorded.arrays["grand"][0])
        assert np.array_equal(read.prototype_distance(0), recorded.arrays["prototype_distance"])
        assert np.array_equal(read.predictions(0), recorded.arrays["prediction"])
