"""Losses for unequal classes, against torch's own weights and numbers worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import losses
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.train import predict, train
from tests.tiny import RECIPE

KEPT = torch.tensor([0] * 8 + [1] * 2)  # of class 2 nothing was kept
WAYS = ["none", "weighted_loss", "sampler", "logit_adjustment"]


def recipe(**changes) -> Recipe:
    return Recipe.model_validate(RECIPE | {"epochs": 3, "batch": 10} | changes)


@pytest.fixture
def logits():
    return torch.randn(10, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)


def test_weights_are_inverse_to_the_size_of_a_class_and_one_on_average():
    weights = losses.class_weights(KEPT, 3)
    assert weights.tolist() == pytest.approx([10 / (2 * 8), 10 / (2 * 2), 0])
    assert weights[KEPT].mean() == pytest.approx(1)
    assert losses.class_weights(torch.arange(6) % 3, 3).tolist() == [1, 1, 1]


def test_on_all_examples_the_weighted_loss_is_that_of_torch(logits):
    loss_of = losses.make(recipe(balance="weighted_loss"), KEPT, 3)
    expected = nn.CrossEntropyLoss(weight=losses.class_weights(KEPT, 3))(logits, KEPT)
    assert loss_of(logits, KEPT).item() == pytest.approx(expected.item(), rel=1e-6)


def test_weights_do_not_count_in_the_smoothing():
    """torch's own do: at 99 to 1 its optimum calls every image of the large class one of the small class."""
    labels = torch.tensor([0] * 99 + [1])
    loss_of = losses.make(recipe(balance="weighted_loss", label_smoothing=0.1), labels, 2)
    gaps = torch.linspace(-8, 8, 1601)  # of the own logit above the other, of images that the network tells apart
    best = {}
    for label in (0, 1):
        rows = torch.zeros(len(gaps), 2)
        rows[:, label] = gaps
        best[label] = gaps[np.argmin([loss_of(row[None], torch.tensor([label])).item() for row in rows])].item()
    assert best == pytest.approx({0: math.log(0.95 / 0.05), 1: math.log(0.95 / 0.05)}, abs=0.02)


def test_margins_cannot_be_smoothed():
    with pytest.raises(ValueError, match="label_smoothing of 0.1 with balance: logit_adjustment"):
        recipe(balance="logit_adjustment", label_smoothing=0.1)


def test_what_a_class_weighs_does_not_depend_on_the_batch(logits):
    loss_of = losses.make(recipe(balance="weighted_loss"), KEPT, 3)
    parts = [loss_of(logits[part], KEPT[part]).item() for part in (slice(0, 5), slice(5, 10))]
    assert np.mean(parts) == pytest.approx(loss_of(logits, KEPT).item(), rel=1e-6)
    of_large = nn.functional.cross_entropy(logits[:5], KEPT[:5]).item()
    assert parts[0] == pytest.approx(0.625 * of_large, rel=1e-6), "torch would divide by the weights of the batch and ignore them"


@pytest.mark.parametrize("tau", [1, 0.5])
def test_logit_adjustment_adds_the_log_of_the_shares(logits, tau):
    loss_of = losses.make(recipe(balance="logit_adjustment", tau=tau), KEPT, 3)
    shifted = logits.detach().double().numpy() + tau * np.array([math.log(0.8), math.log(0.2), 0])
    expected = np.mean([math.log(np.exp(row).sum()) - row[label] for row, label in zip(shifted, KEPT.tolist(), strict=True)])
    assert loss_of(logits, KEPT).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("way", "smoothing"), [*((way, 0) for way in WAYS), *((way, 0.1) for way in WAYS[:3])])
def test_a_class_without_an_example_gives_finite_losses_and_gradients(logits, way, smoothing):
    loss = losses.make(recipe(balance=way, label_smoothing=smoothing), KEPT, 3)(logits, KEPT)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


def test_equal_classes_change_nothing(logits):
    labels = torch.tensor([0, 1, 2] * 3)
    plain = nn.functional.cross_entropy(logits[:9], labels).item()
    for way in WAYS:
        assert losses.make(recipe(balance=way), labels, 3)(logits[:9], labels).item() == pytest.approx(plain, rel=1e-6), way


def test_half_precision_is_weighted_in_full(logits):
    coarse = logits.detach().bfloat16()
    for way in WAYS:
        loss_of = losses.make(recipe(balance=way), KEPT, 3)
        assert loss_of(coarse, KEPT).item() == pytest.approx(loss_of(coarse.float(), KEPT).item(), rel=1e-2), way


@pytest.fixture(scope="module")
def unequal():
    """Bright images against darker ones under much noise, 15 to 1, and a third class that is never kept."""
    rng = np.random.default_rng(0)
    labels = np.array([0] * 150 + [1] * 10 + [2] * 4)
    means = np.array([118, 138, 20])

    def images(of):
        return np.clip(means[of][:, None, None, None] + rng.normal(0, 60, (len(of), 1, 8, 8)), 0, 255).astype(np.uint8)

    test = np.repeat([0, 1], 200)
    return Dataset(images(labels), labels, images(test), test, ["a", "b", "c"], [str(i) for i in range(len(labels))])


@pytest.mark.parametrize("way", WAYS[1:])
def test_every_way_finds_more_of_the_small_class(unequal, way):
    kept, found = np.arange(160), {}
    for balance in ("none", way):
        settings = recipe(balance=balance, epochs=6, batch=32)
        data = Data(unequal, settings, torch.device("cpu"))
        trained = train(data, kept, settings, Seeds(0, "training", 0))
        predicted = predict(trained.model, data.test, settings).argmax(dim=1)
        assert (predicted != 2).all(), "a class that was never seen"
        found[balance] = (predicted[200:] == 1).float().mean().item()
    assert found[way] > found["none"] + 0.1
