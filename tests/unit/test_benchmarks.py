"""The benchmark program runs, prints its table and writes what it says."""

import csv
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from benchmarks import busy_hook, ensemble, inputs, report, steps, studies, tune, workflow
from benchmarks.__main__ import GROUPS
from benchmarks.training import fresh, resident_batch
from pipeline_lib.config import parse_study
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.step import Step

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_a_quick_run_writes_the_table_the_document_and_the_history(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rows", "scores", "training", "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Training loop / bare steps" in done.stdout
    assert "at most 5 s" in done.stdout
    document = (tmp_path / "docs/performance.md").read_text()
    assert "A trial with small sizes: its figures say nothing." in document
    assert "## What stayed, and what did not pay" in document
    with open(tmp_path / "benchmarks/history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"loop_small_cpu", "loop_digits_cpu"} <= {row["row"] for row in rows}
    assert all(float(row["median"]) > 0 for row in rows)


def test_the_document_is_made_of_the_history_and_the_findings():
    assert (ROOT / report.DOCUMENT).read_text() == report.document(GROUPS, report.read(ROOT / report.HISTORY)), (
        "write it anew: `python -m benchmarks --rows nothing`"
    )


def test_the_trial_of_the_demo_is_a_valid_study(tmp_path):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    workflow.shrink(tmp_path / "config.yaml")
    study = parse_study(yaml.safe_load((tmp_path / "config.yaml").read_text()))
    assert study.swept_metrics("digits", "sliding_window") == ["el2n"]


@pytest.mark.long
def test_the_ensemble_is_trained_anew_for_every_time_that_is_taken(tmp_path):
    trial = ensemble.Ensemble(tmp_path / "project", seeds=2, epochs=1, examples=100, recipe="small")
    dynamics = tmp_path / "project/results/cifar10/dynamics"
    assert [file.name for file in dynamics.glob("*.h5")] == ["seed2.h5"]
    seconds, written = [], []
    for _ in range(2):
        seconds.append(trial.train(together=2))
        written.append({file.name: file.stat().st_mtime_ns for file in dynamics.glob("*.h5")})
    assert min(seconds) > 0
    assert sorted(written[0]) == ["seed0.h5", "seed1.h5", "seed2.h5"]
    assert {name for name in written[0] if written[0][name] != written[1][name]} == {"seed0.h5", "seed1.h5"}


def test_the_window_is_the_sum_of_its_trainings(monkeypatch):
    """By hand: 7 x 7 x 3 windows and 3 random subsets of a part, and 3 trainings of all, in minutes."""
    seconds = iter([30.0, 12.0])
    monkeypatch.setattr(studies, "clock", lambda work: (work(), next(seconds))[1])
    recipe = inputs.recipe("small", 1).model_copy(update={"batch": 16})
    full, window = studies.trainings(studies.Sizes(50, 1, 1), recipe, torch.device("cpu"))
    assert full.values == (30.0,)
    assert window.values == (pytest.approx((150 * 12 + 3 * 30) / 60),)


def test_swav_takes_its_epochs_and_its_logged_accuracies(monkeypatch):
    """By hand: 30 epochs of 2 s and 3 logged accuracies of 4 s are 1.2 minutes."""
    seconds = iter([1.0, 2.0, 9.0, 3.0, 4.0])
    monkeypatch.setattr(studies, "clock", lambda work: (work(), next(seconds))[1])
    found = studies.features(studies.Sizes(300, 1, 3), "small", torch.device("cpu"))
    assert found.values == (pytest.approx((30 * 2 + 3 * 4) / 60),)


def test_a_tuned_recipe_is_compared_in_pairs_and_kept(tmp_path):
    first = pd.DataFrame({"accuracy": [0.5, 0.6, 0.7], "seconds": [1.0, 1.0, 4.0]})
    second = pd.DataFrame({"accuracy": [0.52, 0.62, 0.72], "seconds": [1.0, 1.0, 1.0]})
    third = pd.DataFrame({"accuracy": [0.51, 0.62, 0.73], "seconds": [1.0, 1.0, 1.0]})
    assert tune.words(first, None) == "60.00% (35.16 to 84.84), 2.00 s"
    assert tune.words(second, first) == "62.00% (37.16 to 86.84), 1.00 s; +2.00 (no interval) beside the first"
    assert tune.words(third, first).endswith("; +2.00 (-0.48 to +4.48) beside the first")
    for runs in (first, second):
        tune.keep(tmp_path / "record.csv", ("digits", "x (float32)", "3", "0.4"), runs)
    kept = pd.read_csv(tmp_path / "record.csv")
    assert kept.columns.tolist() == list(tune.COLUMNS)
    assert kept["accuracies"].tolist() == ["0.5000 0.6000 0.7000", "0.5200 0.6200 0.7200"]
    assert kept["seconds"].tolist() == [2, 1]
    assert kept["share"].tolist() == [0.4, 0.4]


@pytest.mark.parametrize(
    ("module", "function"), [(module, function) for module, functions in busy_hook.WATCHED.items() for function in functions]
)
def test_what_the_hook_watches_is_there(module, function):
    assert callable(getattr(importlib.import_module(module), function))


def test_recipes_are_compared_on_a_split_of_the_training_set_alone():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (50, 1, 8, 8), dtype=np.uint8), np.arange(50) % 5
    dataset = Dataset(images, labels, images[:0], labels[:0], list("abcde"), [str(i) for i in range(50)])
    fitted = tune.split(dataset, seed=0)
    assert len(fitted.train_labels) == 40
    assert np.bincount(fitted.test_labels).tolist() == [2] * 5, "a fifth of every class"
    held_out = {image.tobytes() for image in fitted.test_images}
    assert not held_out & {image.tobytes() for image in fitted.train_images}
    assert held_out < {image.tobytes() for image in images}


def test_candidates_are_every_batch_with_every_rate_and_the_recipe_to_be_reached():
    arguments = ["digits", "small_digits", "--batch", "32", "64", "--lr", "0.1", "0.2", "--against", "thesis_cifar10"]
    found = tune.candidates(tune.parse(arguments))
    assert [(recipe.batch, recipe.optimiser.lr) for recipe in found.values()] == [
        *((32, 0.1), (32, 0.2), (64, 0.1), (64, 0.2)),
        (25, 0.001),
    ]
    reached = found["as thesis_cifar10, batch 25"]
    assert (reached.model, reached.width, reached.optimiser.name, reached.schedule.name) == ("small_cnn", 16, "adam", "plateau")


def test_the_steps_of_other_ways_are_the_same_training():
    """A ratio is worth nothing if the other way computes something else."""
    cpu = torch.device("cpu")
    recipe = inputs.recipe("small_digits", 1)
    data = Data(inputs.images(2 * recipe.batch, 1, 8), recipe, cpu)
    batch = resident_batch(data, recipe)
    model, optimiser = fresh(data, recipe)
    take = Step(model, optimiser, recipe)
    ours = [take(recipe.optimiser.lr, *batch)[0].item() for _ in range(3)]
    assert ours[-1] < ours[0]
    for way, tolerance in ((steps.plain, 1e-4), (steps.bfloat16, 0.05)):
        step = way(*fresh(data, recipe), batch, recipe)
        assert [float(step()) for _ in range(3)] == pytest.approx(ours, abs=tolerance), way.__name__
    launched = steps.launched_singly(*fresh(data, recipe), batch, recipe)
    assert [launched()[0].item() for _ in range(3)] == ours
    later = [take(recipe.optimiser.lr, *batch)[0].item() for _ in range(3)]
    without = steps.without_kernels(*fresh(data, recipe), batch, recipe)  # which has taken some steps
    assert without()[0].item() == pytest.approx([*ours, *later][steps.WARM_UP + 1], abs=1e-4)
