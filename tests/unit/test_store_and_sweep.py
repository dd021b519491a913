"""Runs are identified by what they are, and trained once."""

import numpy as np
import pytest
import torch

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import sliding_window
from pipeline_lib.prune.store import RunStore, identity
from pipeline_lib.prune.sweep import Planned, Trainer, sweep

RECIPE = {
    "model": "small_cnn",
    "width": 4,
    "optimiser": {"name": "sgd", "lr": 0.05},
    "schedule": {"name": "constant"},
    "epochs": 1,
    "batch": 8,
}
BASE = {
    "dataset": "d",
    "kept": np.arange(5),
    "recipe": {"a": 1},
    "code": "c",
    "study_seed": 0,
    "run_seed": 0,
    "device": "cpu",
}
SETTINGS = {"starts": [0, 0.5], "size": 0.5, "seeds": 2, "missing_classes": "error"}


@pytest.fixture
def tiny():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = (rng.integers(0, 100, size=(40, 1, 8, 8)) + 100 * labels[:, None, None, None]).astype(np.uint8)
    return Dataset(images, labels, images[:10], labels[:10], ["dark", "bright"], [str(i) for i in range(40)])


@pytest.fixture
def trainer(tiny, tmp_path):
    return Trainer(tiny, tiny.fingerprint(), Recipe.model_validate(RECIPE), "code", 0, torch.device("cpu"), RunStore(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "e"},
        {"kept": np.arange(6)},
        {"recipe": {"a": 2}},
        {"code": "d"},
        {"study_seed": 1},
        {"run_seed": 1},
        {"device": "cuda"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_training_changes_its_identity(change):
    assert identity(**(BASE | change)) != identity(**BASE)


def test_the_order_of_the_kept_examples_does_not_matter():
    assert identity(**(BASE | {"kept": np.array([4, 2, 0, 1, 3])})) == identity(**BASE)


def test_the_same_training_is_done_once(trainer):
    planned = [Planned(0.0, 0, np.arange(20)), Planned(0.5, 0, np.arange(20)), Planned(0.5, 1, np.arange(20))]
    table = sweep(trainer, planned, ["dark", "bright"], "")
    assert trainer.trained == 2
    assert table["run"].nunique() == 2
    assert list(table.columns[:7]) == ["point", "seed", "kept", "steps", "accuracy", "seconds", "run"]
    assert table["accuracy"].to_numpy() == pytest.approx(table[["accuracy_dark", "accuracy_bright"]].mean(axis=1).to_numpy())


def test_a_second_process_finds_what_the_first_finished(trainer, tiny, tmp_path):
    first = trainer.run(np.arange(20), 0)
    again = Trainer(tiny, tiny.fingerprint(), Recipe.model_validate(RECIPE), "code", 0, torch.device("cpu"), RunStore(tmp_path))
    assert again.run(np.arange(20), 0) == first
    assert again.trained == 0


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"identity": "x"}', "\xff"])
def test_a_damaged_run_is_trained_again(trainer, tmp_path, damage):
    first = trainer.run(np.arange(20), 0)
    [path] = tmp_path.rglob("*.json")
    path.write_text(damage, encoding="latin-1")
    again = trainer.run(np.arange(20), 0)
    assert trainer.trained == 2
    assert {k: v for k, v in again.items() if "second" not in k} == {k: v for k, v in first.items() if "second" not in k}


def test_a_run_of_another_name_is_not_taken(tmp_path):
    store = RunStore(tmp_path)
    run = {"identity": "abcd", "kept": 1, "steps": 1, "accuracy": 1.0, "class_accuracy": [1.0], "seconds": 1.0}
    store.put(run)
    [path] = tmp_path.rglob("*.json")
    path.rename(path.with_name("abce.json"))
    assert store.get("abce") is None
    assert store.get("abcd") is None


def test_every_start_is_planned_with_every_seed(tiny):
    planned = sliding_window.plan("el2n", np.arange(40.0), SETTINGS, tiny, 0, "")
    assert [(p.point, p.seed) for p in planned] == [(0, 0), (0, 1), (0.5, 0), (0.5, 1)]
    assert planned[0].kept.tolist() == list(range(20))
    assert planned[2].kept.tolist() == list(range(20, 40))


def test_the_random_baseline_takes_a_fresh_subset_per_seed(tiny):
    first, second = sliding_window.plan("random", None, SETTINGS, tiny, 0, "")
    assert len(first.kept) == len(second.kept) == 20
    assert not np.array_equal(first.kept, second.kept)
    assert np.isnan(first.point)


def test_the_full_baseline_keeps_everything(tiny):
    assert all(len(p.kept) == 40 for p in sliding_window.plan("full", None, SETTINGS, tiny, 0, ""))


def test_a_window_that_loses_a_class_is_refused_before_any_training(tiny):
    by_class = tiny.train_labels.astype(float)
    with pytest.raises(PipelineError, match=r"by x, start 0: no example of class bright"):
        sliding_window.plan("x", by_class, SETTINGS, tiny, 0, "by x")
    assert len(sliding_window.plan("x", by_class, SETTINGS | {"missing_classes": "allow"}, tiny, 0, "by x")) == 4


def test_a_constant_score_is_refused(tiny):
    with pytest.raises(PipelineError, match="by x: .*same score"):
        sliding_window.plan("x", np.ones(40), SETTINGS, tiny, 0, "by x")
