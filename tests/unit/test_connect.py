"""Two networks that part, and the line between their ends."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import connect
from pipeline_lib.learn.connect import Parting, along, average_statistics, between, statistics_examples
from pipeline_lib.learn.device import autocast
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.train import build, predict, train
from pipeline_lib.resume import Checkpoint

CPU = torch.device("cpu")
SEEDS = Seeds(0, "connectivity", 0)
EXAMPLES, EPOCHS, POINTS = 90, 4, 5


def recipe(**changes) -> Recipe:
    settings = {
        "model": "small_cnn",
        "width": 4,
        "optimiser": {"name": "sgd", "lr": 0.1},
        "schedule": {"name": "cosine", "warmup": 0},
        "epochs": EPOCHS,
        "batch": 16,
        "precision": "float32",
        "augmentation": {"crop_padding": 1},
    }
    return Recipe.model_validate(settings | changes)


def blobs() -> Dataset:
    """A bright row per class, under noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(2 * EXAMPLES) % 3
    images = rng.integers(0, 120, size=(len(labels), 1, 8, 8))
    images[np.arange(len(labels)), 0, labels] += 100
    images, names = images.astype(np.uint8), [str(number) for number in range(len(labels))]
    return Dataset(images[:EXAMPLES], labels[:EXAMPLES], images[EXAMPLES:], labels[EXAMPLES:], names[:3], names[:EXAMPLES])


GROUPS = [np.arange(30), np.arange(30, 60), np.arange(60, 90)]


@pytest.fixture(scope="module")
def data():
    return Data(blobs(), recipe(), CPU)


def parted(data, parting=None, run=0, **changes):
    everything = np.arange(data.train.examples)
    return train(data, everything, recipe(**changes), SEEDS._replace(run=run), checkpoint=parting)


def states_equal(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True))


@pytest.mark.parametrize("optimiser", [{"name": "sgd", "lr": 0.1, "momentum": 0.9}, {"name": "adam", "lr": 0.01}])
@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_a_child_with_the_parents_orders_is_the_parent(data, epoch, optimiser):
    """Weights, buffers, running averages of the optimiser, the schedule and the place in the feed are all taken over."""
    parting = Parting([epoch])
    parent = parted(data, parting, optimiser=optimiser)
    child = parted(data, Parting(begin=(epoch, parting.states[epoch])), optimiser=optimiser)
    assert states_equal(parent.model, child.model)
    assert child.train_loss == parent.train_loss


def test_a_child_with_other_orders_begins_where_the_parent_was(data):
    parting, seen = Parting([2]), []
    parted(data, parting)
    kept = copy.deepcopy(parting.states[2])
    everything, other = np.arange(data.train.examples), SEEDS._replace(run=1)
    child = train(data, everything, recipe(), other, None, lambda e, m: seen.append(e), Parting(begin=(2, parting.states[2])))
    assert seen == [2, 3], "it takes the two epochs that are left"
    for name, array in kept["model"].items():
        np.testing.assert_array_equal(array, parting.states[2]["model"][name], err_msg="a child changes its parent's state")
    last = parted(data, parting, run=0)
    assert not states_equal(child.model, last.model)


def test_a_state_is_a_copy_of_its_time(data):
    parting = Parting([0, 1, 2, 3])
    parted(data, parting)
    weights = [state["model"]["fc.weight"] for state in parting.states.values()]
    assert sorted(parting.states) == [0, 1, 2, 3]
    assert all(not np.array_equal(a, b) for a, b in zip(weights, weights[1:], strict=False))
    np.testing.assert_array_equal(weights[0], build(data, recipe(), SEEDS).fc.weight.detach())


def test_two_children_part(data):
    lines = connect.connect(data, recipe(), SEEDS, [0, 3], GROUPS, POINTS)
    assert lines.loss.shape == lines.error.shape == (2, POINTS, 3)
    assert np.isfinite(lines.loss).all()
    assert not np.allclose(lines.loss[:, 0], lines.loss[:, -1], rtol=1e-6), "both ends are one network"
    assert lines.seconds > 0


def test_the_ends_are_the_children(data):
    lines = connect.connect(data, recipe(), SEEDS, [2], GROUPS, POINTS)
    parting = Parting([2])
    parted(data, parting)
    everything = np.arange(data.train.examples)
    for child, end in (("first", 0), ("second", -1)):
        seeds = SEEDS._replace(purpose=f"connectivity, {child} child")
        model = train(data, everything, recipe(), seeds, checkpoint=Parting(begin=(2, parting.states[2]))).model
        average_statistics(model, data, recipe(), statistics_examples(data, SEEDS))
        logits = predict(model, data.train, recipe())
        loss = nn.functional.cross_entropy(logits, data.train_labels, reduction="none").numpy()
        wrong = (logits.argmax(dim=1) != data.train_labels).numpy()
        np.testing.assert_allclose(lines.loss[0, end], [loss[group].mean() for group in GROUPS], rtol=1e-5)
        np.testing.assert_allclose(lines.error[0, end], [wrong[group].mean() for group in GROUPS])


def test_arithmetic_is_counted(data):
    lines = connect.connect(data, recipe(), SEEDS, [0, 3], GROUPS, POINTS)
    whole = parted(data)
    trainings = 1 + 2 * (1 + 1 / EPOCHS)  # the parent; two children from the beginning; two for the last epoch
    looks = 2 * POINTS * 2 * EXAMPLES  # at two epochs: all images for the statistics, all in the three groups
    assert lines.line_flops == pytest.approx(looks * whole.forward_flops)
    assert lines.speed.flops == pytest.approx(trainings * whole.speed.flops)
    assert lines.speed.images == pytest.approx(trainings * whole.speed.images, abs=2)
    spent = lines.speed.data_seconds + lines.speed.compute_seconds + lines.speed.evaluation_seconds
    assert 0.5 * lines.seconds < spent <= lines.seconds


def test_an_interrupted_job_goes_on_with_the_next_epoch(data, tmp_path, monkeypatch):
    whole = connect.connect(data, recipe(), SEEDS, [0, 2, 3], GROUPS, POINTS)
    path, looked = tmp_path / "pair0.h5", []

    def fails_at_the_third(*given):
        looked.append(1)
        if len(looked) > 2:
            raise RuntimeError("the machine fails")
        return along(*given)

    monkeypatch.setattr(connect, "along", fails_at_the_third)
    with pytest.raises(RuntimeError):
        connect.connect(data, recipe(), SEEDS, [0, 2, 3], GROUPS, POINTS, Checkpoint(path, "x", 0))
    looked.clear()
    monkeypatch.setattr(connect, "along", lambda *given: looked.append(1) or along(*given))
    resumed = connect.connect(data, recipe(), SEEDS, [0, 2, 3], GROUPS, POINTS, Checkpoint(path, "x", 0))
    assert len(looked) == 1
    np.testing.assert_array_equal(resumed.loss, whole.loss)
    np.testing.assert_array_equal(resumed.error, whole.error)
    assert resumed.speed.flops > whole.speed.flops, "the parent was trained twice"


# ---------------------------------------------------------------------------------------------------------------------
# the line


def test_between_mixes_weights_and_leaves_the_ends_alone(data):
    first, second = (build(data, recipe(), SEEDS._replace(run=run)) for run in (0, 1))
    before = copy.deepcopy(first)
    middle = between(first, second, 0.25)
    assert states_equal(first, before)
    torch.testing.assert_close(middle.fc.weight, 0.75 * first.fc.weight + 0.25 * second.fc.weight)
    assert states_equal(between(first, second, 0.0), first)
    assert states_equal(between(first, second, 1.0), second)


def test_two_equal_networks_have_a_flat_line(data):
    model = parted(data).model
    loss, error = along(model, copy.deepcopy(model), data, recipe(), GROUPS, statistics_examples(data, SEEDS), POINTS)
    np.testing.assert_allclose(loss, np.broadcast_to(loss[0], loss.shape), rtol=1e-5)
    np.testing.assert_array_equal(error, np.broadcast_to(error[0], error.shape))


class Linear(nn.Module):
    """Logits that are linear in the weights, so that the loss is convex in them."""

    def __init__(self, seed: int):
        super().__init__()
        self.fc = nn.Linear(64, 3)
        with torch.no_grad():
            self.fc.weight.copy_(torch.from_numpy(np.random.default_rng(seed).normal(size=(3, 64))))

    def forward(self, images):
        return self.fc(images.flatten(1))


def test_a_convex_loss_never_rises_above_the_chord(data):
    loss, _ = along(Linear(0), Linear(1), data, recipe(), GROUPS, statistics_examples(data, SEEDS), 11)
    share = np.linspace(0, 1, 11)[:, None]
    assert (loss <= (1 - share) * loss[0] + share * loss[-1] + 1e-6).all()
    assert (loss[5] < (loss[0] + loss[-1]) / 2 - 1e-3).all(), "strictly below"


# ---------------------------------------------------------------------------------------------------------------------
# batch normalisation


def test_statistics_are_those_of_the_images(data):
    """Of the first norm by hand: the mean and variance of what enters it, over all images and places."""
    model = parted(data).model
    average_statistics(model, data, recipe(), torch.arange(data.train.examples))
    with torch.no_grad():
        entering = torch.max_pool2d(model.convolutions[0](data.train.clean(torch.arange(EXAMPLES))), 2)
    torch.testing.assert_close(model.norms[0].running_mean, entering.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(model.norms[0].running_var, entering.var(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert model.norms[0].momentum == 0.1
    assert not model.training


def test_statistics_are_those_of_the_precision(data):
    found, index = [], torch.arange(data.train.examples)
    for precision in ("float32", "bfloat16"):
        model = parted(data).model
        average_statistics(model, data, recipe(precision=precision), index)
        with torch.no_grad(), autocast(CPU, precision):
            entering = torch.max_pool2d(model.convolutions[0](data.train.clean(index)), 2).float()
        torch.testing.assert_close(model.norms[0].running_mean, entering.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
        found.append(model.norms[0].running_mean)
    assert not torch.allclose(*found, rtol=1e-4, atol=1e-5), "or the test would not tell them apart"


def test_batches_count_alike(data, monkeypatch):
    """Not as running statistics do, in which the last batches weigh most."""
    model = parted(data).model
    monkeypatch.setitem(connect.EVALUATION_PIXELS, "cpu", 64 * 30)  # three batches of 30 images
    index = torch.arange(EXAMPLES)
    average_statistics(model, data, recipe(), index)
    with torch.no_grad():
        entering = torch.max_pool2d(model.convolutions[0](data.train.clean(index)), 2)
    variances = torch.stack([part.var(dim=(0, 2, 3)) for part in entering.split(30)])
    torch.testing.assert_close(model.norms[0].running_var, variances.mean(dim=0), rtol=1e-4, atol=1e-5)


def test_a_network_without_norms_is_left_as_it_is(data):
    model = Linear(0)
    before = copy.deepcopy(model)
    average_statistics(model, data, recipe(), torch.arange(10))
    assert states_equal(model, before)


def test_without_new_statistics_the_barrier_is_inflated():
    """Between two trainings from different weights: the averaged statistics of the ends fit no network on the line."""
    digits, few = load_digits(), np.arange(900)
    images = (15.9 * digits.images[:, np.newaxis]).astype(np.uint8)
    names = [str(number) for number in few]
    data = Data(Dataset(images[few], digits.target[few], images[900:], digits.target[900:], names[:10], names), recipe(), CPU)
    settings = recipe(width=8, optimiser={"name": "sgd", "lr": 0.3}, batch=64, epochs=5)
    first, second = (train(data, few, settings, SEEDS._replace(run=run)).model for run in (0, 1))
    loss, _ = along(first, second, data, settings, [few], statistics_examples(data, SEEDS), 3)
    stale = nn.functional.cross_entropy(predict(between(first, second, 0.5), data.train, settings), data.train_labels).item()
    chord = (loss[0, 0] + loss[2, 0]) / 2
    assert loss[1, 0] - chord > 1, "there is a barrier"
    assert stale - chord > 1.5 * (loss[1, 0] - chord)


def test_statistics_come_from_all_classes_in_random_order(data, monkeypatch):
    index = statistics_examples(data, SEEDS)
    assert sorted(index.tolist()) == list(range(EXAMPLES))
    assert index.tolist() != sorted(index.tolist())
    monkeypatch.setattr(connect, "STATISTICS_EXAMPLES", 20)
    assert len(statistics_examples(data, SEEDS)) == 20
    assert torch.equal(statistics_examples(data, SEEDS), index[:20])
