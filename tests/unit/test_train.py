"""The training loop: determinism, schedules, the validation split, and a plain reference loop."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.config import Adam, Recipe, Sgd
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import augment, models
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.record import record
from pipeline_lib.learn.schedule import Schedule
from pipeline_lib.learn.train import Data, _hold_out, batches, loss_and_accuracy, predict, train
from pipeline_lib.learn.train import test as accuracies
from pipeline_lib.rng import derive_seed, generator

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
RECIPE = {
    "model": "small_cnn",
    "width": 4,
    "optimiser": {"name": "sgd", "lr": 0.05, "nesterov": True, "weight_decay": 5e-4},
    "schedule": {"name": "onecycle"},
    "epochs": 3,
    "batch": 16,
    "augmentation": {"crop_padding": 1, "rotation": 10},
}
PLATEAU = {"schedule": {"name": "plateau", "validation": 0.2, "patience": 0}}


def recipe(**changes) -> Recipe:
    return Recipe.model_validate(RECIPE | changes)


@pytest.fixture(scope="module")
def stripes():
    """Horizontal against vertical stripes under noise: learnable in a few steps."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 2
    pattern = np.tile([0, 80], 4)
    images = rng.integers(0, 120, size=(90, 1, 8, 8))
    images[labels == 0] += pattern[None, None, :, None]
    images[labels == 1] += pattern[None, None, None, :]
    images = images.astype(np.uint8)
    return Dataset(images[:70], labels[:70], images[70:], labels[70:], ["rows", "columns"], [str(i) for i in range(70)])


def weights(trained) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.model.parameters()])


def run(dataset, settings, kept=None, seed=0):
    return train(Data(dataset, settings, CPU), np.arange(70) if kept is None else kept, settings, 0, seed)


def test_it_learns(stripes):
    settings = recipe(epochs=8)
    trained = run(stripes, settings)
    logits = predict(trained.model, Data(stripes, settings, CPU).test, settings)
    assert loss_and_accuracy(logits, torch.from_numpy(stripes.test_labels))[1] >= 0.9
    assert trained.train_loss[-1] < trained.train_loss[0]


@pytest.mark.parametrize("changes", [{}, PLATEAU, {"optimiser": {"name": "adam"}}], ids=["sgd", "plateau", "adam"])
def test_a_seed_fully_determines_a_run(stripes, changes):
    settings = recipe(**changes)
    assert torch.equal(weights(run(stripes, settings)), weights(run(stripes, settings)))
    assert not torch.equal(weights(run(stripes, settings)), weights(run(stripes, settings, seed=1)))


def test_randomness_used_elsewhere_changes_nothing(stripes):
    first = weights(run(stripes, recipe()))
    torch.manual_seed(99)
    np.random.default_rng(5)
    torch.rand(10)
    state = torch.get_rng_state()
    assert torch.equal(first, weights(run(stripes, recipe())))
    assert torch.equal(state, torch.get_rng_state()), "training must not touch the global generator"


def test_the_fast_path_is_a_plain_loop(stripes):
    """Against one image at a time gathered in Python, plain SGD code and the same draws; float32 tolerances."""
    settings = recipe(augmentation={}, epochs=2)
    fast = run(stripes, settings, np.arange(0, 70, 2))
    pixels = stripes.train_images.astype(np.float64) / 255
    mean, std = pixels.mean(), pixels.std()
    plain_images = torch.from_numpy((pixels - mean) / std).float()
    labels = torch.from_numpy(stripes.train_labels)
    model = models.build("small_cnn", 1, 8, 2, 4, derive_seed(0, "init", 0))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=False)
    orders, step, steps = generator(0, "order", 0), 0, 2 * 3
    for _ in range(2):
        order = [i for i in orders.permutation(70) if i % 2 == 0]
        for index in np.array_split(order, 3):
            optimiser.param_groups[0]["lr"] = 0.05 * min((step + 1) / 2, (steps - step) / (steps - 2))
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(plain_images[index]), labels[index]).backward()
            optimiser.step()
            step += 1
    assert fast.steps == steps
    assert weights(fast) == pytest.approx(torch.cat([p.detach().flatten() for p in model.parameters()]), abs=2e-5)


def test_a_subset_sees_a_subset_of_the_same_sequence(stripes):
    settings = recipe()
    data, rng = Data(stripes, settings, CPU), np.random.default_rng(0)
    order = torch.from_numpy(rng.permutation(70))
    kept = order[order % 3 == 0]
    change = augment.draw(settings.augmentation, 70, rng, CPU)
    everything = torch.cat([images for images, _ in batches(data, order, change, settings, 5)])
    subset = torch.cat([images for images, _ in batches(data, kept, change, settings, 2)])
    assert torch.equal(subset, everything[order % 3 == 0])


@pytest.mark.parametrize(("examples", "batch", "sizes"), [(70, 16, [14] * 5), (33, 16, [11] * 3), (10, 16, [10]), (17, 16, [9, 8])])
def test_batches_differ_in_size_by_at_most_one(stripes, examples, batch, sizes):
    settings = recipe(batch=batch)
    data = Data(stripes, settings, CPU)
    change = augment.draw(settings.augmentation, 70, np.random.default_rng(0), CPU)
    count = -(-examples // batch)
    assert [len(labels) for _, labels in batches(data, torch.arange(examples), change, settings, count)] == sizes


def test_the_validation_split_comes_from_the_kept_examples_only():
    settings = recipe(**PLATEAU)
    kept = np.arange(0, 70, 2)
    fitted, held = _hold_out(kept, settings, 0, 0)
    assert len(held) == 7
    assert sorted([*fitted, *held]) == kept.tolist()
    assert not np.array_equal(held, _hold_out(kept, settings, 0, 1)[1])
    assert len(_hold_out(kept, recipe(), 0, 0)[1]) == 0, "other schedules use every kept example"


def test_test_data_never_steer_training(stripes):
    """Flaw of the thesis: its plateau schedule watched the test loss."""
    settings = recipe(**PLATEAU)
    other = Dataset(**(vars(stripes) | {"test_images": 255 - stripes.test_images, "test_labels": 1 - stripes.test_labels}))
    assert torch.equal(weights(run(stripes, settings)), weights(run(other, settings)))


def rates(schedule, losses=(), steps=10, epochs=5, lr=1.0):
    settings = recipe(schedule=schedule, optimiser={"name": "sgd", "lr": lr})
    planned = Schedule(settings, steps)
    seen = []
    for step in range(steps):
        epoch = step * epochs // steps
        seen.append(planned.rate(step, epoch))
        if losses and (step + 1) % (steps // epochs) == 0:
            planned.after_epoch(losses[epoch])
    return seen


def test_schedules_by_hand():
    assert rates({"name": "constant"}) == [1] * 10
    assert rates({"name": "steps", "epochs": [2, 4], "factor": 0.5}) == [1] * 4 + [0.5] * 4 + [0.25] * 2
    assert rates({"name": "onecycle", "warmup": 0.2}) == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8])
    cosine = rates({"name": "cosine", "warmup": 0.2})
    assert cosine[2] == 1
    assert cosine[6] == pytest.approx(0.5)


def test_plateau_by_hand():
    # patience 1: the second bad epoch lowers the rate; equal counts as bad; the rate never falls below min_lr
    schedule = {"name": "plateau", "factor": 0.1, "patience": 1, "min_lr": 0.05}
    losses = [1.0, 1.0, 1.2, 0.5, 0.6, 0.7, 0.8]
    assert rates(schedule, losses, steps=7, epochs=7) == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.05])


def test_divergence_is_reported_with_its_cure(stripes):
    settings = recipe(model="one_conv", optimiser={"name": "sgd", "lr": 1e6})  # no normalisation layers to save it
    with pytest.raises(PipelineError, match=r"diverged: the loss is (nan|inf) after epoch \d .*Lower `optimiser.lr`"):
        run(stripes, settings)


def test_a_model_that_diverged_in_its_last_step_is_noticed(stripes):
    settings = recipe()
    model = models.build("small_cnn", 1, 8, 2, 4, seed=0)
    model.fc.weight.data[0, 0] = float("nan")
    with pytest.raises(PipelineError, match="logits that are not finite"):
        predict(model, Data(stripes, settings, CPU).test, settings)


def test_some_examples_can_be_predicted_alone(stripes):
    settings, index = recipe(), torch.tensor([5, 3, 60])
    data, model = Data(stripes, settings, CPU), models.build("small_cnn", 1, 8, 2, 4, seed=0)
    assert torch.allclose(predict(model, data.train, settings, index), predict(model, data.train, settings)[index], atol=1e-6)


def test_accuracy_overall_and_of_each_class(stripes):
    class Always(torch.nn.Module):
        def forward(self, images):
            return torch.tensor([1.0, 0.0, 0.0]).expand(len(images), 3)

    three = Dataset(**(vars(stripes) | {"class_names": ["rows", "columns", "none"]}))
    share = float((stripes.test_labels == 0).mean())
    assert accuracies(Always(), Data(three, recipe(), CPU), recipe()) == (pytest.approx(share), [1.0, 0.0, None])


@pytest.mark.parametrize(
    ("images", "says"),
    [(np.zeros((4, 1, 8, 6), np.uint8), "must be square .* not 8 x 6"), (np.zeros((4, 1, 4, 4), np.uint8), "crop_padding` of 4")],
)
def test_images_that_cannot_be_trained_on_are_refused(images, says):
    dataset = Dataset(images, np.arange(4) % 2, images, np.arange(4) % 2, ["a", "b"], ["", "", "", ""])
    with pytest.raises(PipelineError, match=says):
        Data(dataset, recipe(augmentation={"crop_padding": 4}), CPU)


def test_too_few_examples_are_refused(stripes):
    with pytest.raises(PipelineError, match="1 example"):
        run(stripes, recipe(), np.array([3]))


def test_the_recorder_keeps_the_clean_logits_of_every_epoch(stripes):
    settings = recipe()
    data = Data(stripes, settings, CPU)
    logits, prediction, curves, trained = record(data, settings, 0, 0)
    assert (logits.shape, logits.dtype, prediction.shape, prediction.dtype) == ((3, 70, 2), np.float16, (3, 70), np.int16)
    clean = predict(trained.model, data.train, settings)
    assert np.array_equal(logits[-1], clean.half().numpy())
    assert np.array_equal(prediction[-1], clean.argmax(dim=1).numpy())
    assert curves["train_accuracy"][-1] == pytest.approx((prediction[-1] == stripes.train_labels).mean())
    assert np.isnan(curves["validation_loss"]).all()


def test_recording_does_not_change_the_training(stripes):
    settings = recipe()
    assert torch.equal(weights(record(Data(stripes, settings, CPU), settings, 0, 0)[3]), weights(run(stripes, settings)))


@pytest.mark.parametrize("name", models.BUILDERS)
@pytest.mark.parametrize(("channels", "size"), [(3, 32), (1, 32)])
def test_every_model_gives_one_logit_per_class_from_its_features(name, channels, size):
    model = models.build(name, channels, size, 7, 4, seed=0).eval()
    images = torch.zeros(2, channels, size, size)
    assert model(images).shape == (2, 7)
    backbone, dimension = models.features_of(model)
    assert backbone(images).shape == (2, dimension)


def test_resnet18_for_small_images_costs_what_it_should():
    """0.555 GMAC and 11.2 million parameters at 32x32: a 3x3 stem, no max-pool."""
    from torch.utils.flop_counter import FlopCounterMode

    model = models.build("resnet18_cifar", 3, 32, 10, 0, seed=0)
    assert sum(p.numel() for p in model.parameters()) == 11_173_962
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, 32, 32))
    assert counter.get_total_flops() / 2 == pytest.approx(0.555e9, rel=0.01)
    with FlopCounterMode(display=False) as counter:
        models.build("plain18", 3, 32, 100, 0, seed=0)(torch.zeros(1, 3, 32, 32))
    assert counter.get_total_flops() / 2 == pytest.approx(4.91e9, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "reference"),
    [
        (Sgd(name="sgd", lr=1, nesterov=True, weight_decay=5e-4), lambda p: torch.optim.SGD(p, 1, 0.9, 0, 5e-4, True, fused=True)),
        (Sgd(name="sgd", lr=1, momentum=0), lambda p: torch.optim.SGD(p, 1, fused=True)),
        (Adam(name="adam", weight_decay=0.01), lambda p: torch.optim.AdamW(p, 1, weight_decay=0.01, fused=True)),
        (Adam(name="adam"), lambda p: torch.optim.Adam(p, 1, fused=True)),
    ],
    ids=["nesterov", "plain sgd", "adamw", "adam"],
)
def test_the_optimiser_is_torchs_to_the_last_bit(settings, reference):
    ours, theirs = (models.build("small_cnn", 1, 8, 2, 4, seed=0) for _ in range(2))
    optimiser, expected = Optimiser(ours, settings), reference(theirs.parameters())
    images, labels = torch.rand(6, 1, 8, 8), torch.tensor([0, 1, 0, 1, 0, 1])
    for rate in (0.1, 0.05, 0.01, 0.2):
        nn.functional.cross_entropy(ours(images), labels).backward()
        optimiser.step(rate)
        expected.param_groups[0]["lr"] = rate
        expected.zero_grad()
        nn.functional.cross_entropy(theirs(images), labels).backward()
        expected.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)
        assert mine.grad is None


def test_training_does_not_import_the_compiler():
    """torch's own Optimizer class would: 1.2 s in each of some twenty jobs."""
    program = (
        "import sys, torch\n"
        "from pipeline_lib.config import Sgd\n"
        "from pipeline_lib.learn import models, train, record\n"
        "from pipeline_lib.learn.optimise import Optimiser\n"
        "model = models.build('small_cnn', 1, 8, 2, 4, seed=0)\n"
        "optimiser = Optimiser(model, Sgd(name='sgd', lr=0.1))\n"
        "model(torch.zeros(2, 1, 8, 8)).sum().backward()\n"
        "optimiser.step(0.1)\n"
        "print('torch._dynamo' in sys.modules, 'torchvision' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False False"
