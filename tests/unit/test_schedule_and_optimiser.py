"""Learning rates by hand, and torch's own optimisers as the reference of ours."""

import pytest
import torch
from torch import nn

from pipeline_lib.config import Adam, Recipe, Sgd
from pipeline_lib.learn import models
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.schedule import Schedule


def rates(schedule, losses=(), steps=10, epochs=5, lr=1.0):
    """The rate of every step; `losses`: of the validation split after each epoch."""
    optimiser = {"name": "sgd", "lr": lr}
    settings = Recipe(model="small_cnn", optimiser=optimiser, schedule=schedule, epochs=epochs, batch=16)
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
