"""Tangent kernels and their velocity."""

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.learn import kernel
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.kernel import distance, gradients, gram, turn
from pipeline_lib.learn.train import build, train
from pipeline_lib.resume import Checkpoint
from tests.unit.test_connect import CPU, EXAMPLES, GROUPS, SEEDS, blobs, parted, recipe

FEW = torch.tensor([5, 17, 80, 3])


@pytest.fixture(scope="module")
def data():
    return Data(blobs(), recipe(), CPU)


def by_backward(model, images):
    """The same, one backward pass per image and class."""
    model.eval()
    rows = []
    for image in images:
        for number in range(model.fc.out_features):
            model.zero_grad()
            model(image[None])[0, number].backward()
            rows.append(torch.cat([weight.grad.flatten() for weight in model.parameters()]))
    rows = torch.stack(rows)
    return rows @ rows.T


@pytest.mark.parametrize("model", ["small_cnn", "one_conv"])
def test_the_kernel_is_that_of_one_backward_pass_per_example_and_class(data, model):
    trained = parted(data, model=model, epochs=1).model
    expected = by_backward(trained, data.train.clean(FEW))
    torch.testing.assert_close(gram(trained, data.train, FEW), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


def test_the_kernel_of_a_linear_model_by_hand(data):
    """Of logits W x + b: the same for every class, (x . x' + 1) for equal classes, 0 for others."""

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(64, 3)

        def forward(self, images):
            return self.fc(images.flatten(1))

    x = data.train.clean(FEW).flatten(1)
    expected = torch.kron(x @ x.T + 1, torch.eye(3))
    torch.testing.assert_close(gram(Linear(), data.train, FEW), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("at_once", [1, 3, 4])
def test_parts_change_nothing(data, at_once):
    model = build(data, recipe(), SEEDS)
    weights = sum(weight.numel() for weight in model.parameters())
    parts = gram(model, data.train, torch.arange(7), part_bytes=at_once * 4 * weights * 3)
    torch.testing.assert_close(parts, gram(model, data.train, torch.arange(7)), rtol=1e-4, atol=1e-3)


def test_no_more_gradients_are_held_than_fit(data, monkeypatch):
    model, held = build(data, recipe(), SEEDS), []
    monkeypatch.setattr(kernel, "gradients", lambda model, batch: held.append(len(batch)) or gradients(model, batch))
    weights = sum(weight.numel() for weight in model.parameters())
    gram(model, data.train, torch.arange(7), part_bytes=2 * 4 * weights * 3)
    assert max(held) == 2
    held.clear()
    gram(model, data.train, torch.arange(3), part_bytes=1)
    assert max(held) == 1, "one example at least"
    held.clear()
    gram(model, data.train, torch.arange(7))
    assert held == [7], "computed once where all fit"


def test_looking_leaves_no_gradient(data):
    model = build(data, recipe(), SEEDS)
    gram(model, data.train, FEW)
    assert all(weight.grad is None for weight in model.parameters())


def test_equal_kernels_have_no_distance_whatever_their_scale():
    matrix = torch.from_numpy(np.random.default_rng(0).normal(size=(20, 20)))
    assert distance(matrix, matrix) == 0
    assert distance(matrix, 1000 * matrix) == pytest.approx(0, abs=1e-12)
    assert distance(matrix, -matrix) == pytest.approx(2)


def test_the_distance_is_one_minus_the_cosine():
    first, second = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    assert distance(first, second) == pytest.approx(1 - 2 / (5**0.5 * 3**0.5))
    assert distance(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])) == pytest.approx(1)


def test_small_angles_keep_their_digits():
    angle = 1e-6
    turned = torch.tensor([np.cos(angle), np.sin(angle)], dtype=torch.float64)
    assert distance(torch.tensor([1.0, 0.0]), turned) == pytest.approx(angle**2 / 2, rel=1e-6)


def test_velocity_is_between_an_epoch_and_the_next(data):
    kernels = []

    def look(epoch, model):
        kernels.append([gram(model, data.train, torch.from_numpy(group[:5])) for group in GROUPS])

    groups = [group[:5] for group in GROUPS]
    train(data, np.arange(EXAMPLES), recipe(), SEEDS, after_epoch=look)
    turned = turn(data, recipe(), SEEDS, [0, 2, 3], groups)
    for place, epoch in enumerate((0, 2, 3)):
        expected = [distance(a, b) for a, b in zip(kernels[epoch], kernels[epoch + 1], strict=True)]
        np.testing.assert_allclose(turned.velocity[place], expected, rtol=1e-5)
    assert turned.velocity.min() > 0
    assert turned.seconds > 0


def test_looking_does_not_change_the_training(data):
    turned = turn(data, recipe(), SEEDS, [1], [GROUPS[0][:4]])
    plain = train(data, np.arange(EXAMPLES), recipe(), SEEDS)
    for looked, alone in zip(turned.trained.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(looked, alone)


def test_an_interrupted_training_goes_on_with_its_kernels(data, tmp_path, monkeypatch):
    groups = [group[:4] for group in GROUPS]
    whole = turn(data, recipe(), SEEDS, [0, 1, 3], groups)
    path, computed = tmp_path / "seed0.h5", []

    def fails_at_the_fifth(*given):
        computed.append(1)
        if len(computed) > 3 * len(groups):
            raise RuntimeError("the machine fails")
        return gram(*given)

    monkeypatch.setattr(kernel, "gram", fails_at_the_fifth)
    with pytest.raises(RuntimeError):
        turn(data, recipe(), SEEDS, [0, 1, 3], groups, Checkpoint(path, "x", 0))
    monkeypatch.setattr(kernel, "gram", gram)
    resumed = turn(data, recipe(), SEEDS, [0, 1, 3], groups, Checkpoint(path, "x", 0))
    np.testing.assert_array_equal(resumed.velocity, whole.velocity)


def test_a_part_that_a_gpu_has_no_room_for_is_made_smaller(data, monkeypatch):
    model = build(data, recipe(), SEEDS)
    expected, compute, sizes = gram(model, data.train, FEW), kernel.gradients, []

    def cramped(model, batch):
        sizes.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return compute(model, batch)

    monkeypatch.setattr(kernel, "gradients", cramped)
    assert gram(model, data.train, FEW) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert sizes[0] == 4
    assert 1 in sizes
