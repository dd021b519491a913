"""Unequal classes in the workflow: what is made of them, and what is refused before anything runs."""

import shutil

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline_lib.confusion import from_text
from tests.workflow.conftest import ROOT, Project

pytestmark = pytest.mark.long

QUOTAS = {"shares": [0.5], "seeds": 2, "metrics": ["el2n"], "balanced": [False, True], "missing_classes": "allow"}
UNEQUAL = {
    "base": "digits",
    "imbalance": {"ratio": 4},
    "flip_labels": 0.05,
    "flip_to": "largest",
    "recipes": {"scoring": "scoring", "training": "training"},
    "swav": "quick",
    "experiments": {"prune_easiest": QUOTAS, "pruning_imbalanced": {}, "label_noise": {"noisy": None}},
}


def test_an_unequal_data_set_from_its_images_to_its_figures(copy):
    copy.configure(**{"datasets.unequal": UNEQUAL, "recipes.training.balance": "sampler"})
    names = ("confusion", "pruning_imbalanced", "noise_detection")
    copy.make(*(f"results/unequal/{name}.png" for name in names))
    with h5py.File(copy.folder / "data/unequal/dataset.h5") as file:
        sizes = np.bincount(file["train/true_labels"][:])
        drawn = np.bincount(file["test/labels"][:][file["test/drawn"][:]])
        wrong = (file["train/labels"][:] != file["train/true_labels"][:]).sum()
    assert (sizes.max(), sizes.min()) == (146, round(146 / 4))
    assert (drawn.max(), drawn.min()) == (36, 9)
    assert wrong == round(0.05 * sizes.sum())
    for name in names:
        with Image.open(copy.folder / f"results/unequal/{name}.png") as picture:
            assert min(picture.size) > 600
    runs = pd.read_csv(copy.folder / "results/unequal/sweeps/prune_easiest/el2n.csv")
    for _, run in runs.iterrows():
        whole, part = from_text(run["confusion"]), from_text(run["drawn_confusion"])
        assert np.trace(whole) / whole.sum() == pytest.approx(run["accuracy"])
        assert part.sum(axis=1).tolist() == drawn.tolist()
    kept = pd.read_csv(copy.folder / "results/unequal/pruning_imbalanced.csv").query("metric == 'el2n' and measure == 'share kept'")
    assert (kept.query("balanced")["mean"] - 0.5).abs().max() < 0.03, "quotas"
    assert kept.query("not balanced")["mean"].max() > 0.6
    assert pd.read_csv(copy.folder / "results/unequal/noise_detection.csv")["wrong"].unique() == [wrong]
    assert {"confusion", "pruning_imbalanced"} <= {job.removeprefix("draw_") for job in _drawn(copy)}


def test_what_may_lose_a_class_of_digits_imbalanced_is_drawn_as_configured(tmp_path):
    """A window of the easiest has no example of a small class: no reason to have no page."""
    project = Project(tmp_path)
    shutil.copy(ROOT / "config.yaml", project.folder)
    project.make(*(f"results/digits_imbalanced/{name}.png" for name in ("sliding_window", "prune_stratified", "prune_fixed")))
    window = pd.read_csv(project.folder / "results/digits_imbalanced/sweeps/sliding_window/el2n.csv").query("point == 0")
    assert (window.filter(regex="^kept_[0-9]") == 0).any(axis=None)


def _drawn(project):
    """Which of the part's figures are in the plan of the whole report, made already or not."""
    done = project.snakemake("-n", "--forceall", "results/unequal/report.html")
    assert done.returncode == 0, done.stdout
    return {name for name in ("draw_confusion", "draw_pruning_imbalanced") if f"{name} " in done.stdout}


def test_the_report_has_the_confusion_and_no_experiment_that_is_off(project):
    plan = project.plan("results/digits/report.html")
    assert "draw_confusion" in plan
    assert "draw_pruning_imbalanced" not in plan


def test_how_classes_are_balanced_is_part_of_the_recipe(project):
    project.configure(**{"recipes.training.balance": "weighted_loss"})
    assert project.plan("results/digits/sliding_window.png") == {
        *(f"sweep {name}" for name in ("el2n", "forget", "km", "random", "repeated_random", "full")),
        "draw_sliding_window",
    }


@pytest.mark.parametrize(
    ("imbalance", "says"),
    [
        ({"counts": {"1": 5, "ten": 5}}, "datasets.unequal.imbalance.counts: there is no class 'ten'; accepted: 0, 1, 2,"),
        (
            {"counts": {"1": 147, "2": 5}},
            "datasets.unequal.imbalance.counts.1: 147 examples asked for, but the base has only 146 training images",
        ),
        ({"counts": {"1": 4, "ten": 5}}, "there is no class 'ten'"),  # said before that nine examples are no batch
        (
            {"counts": {"1": 90, "2": 90}, "test": {"1": 10, "2": 36}},
            "datasets.unequal.imbalance.test.2: 36 examples asked for, but the base has only 35 test images",
        ),
        ({"ratio": 0.9}, "datasets.unequal.imbalance.ratio: should be at least 1, not 0.9"),
    ],
)
def test_classes_that_the_base_lacks_are_refused_before_anything_runs(project, imbalance, says):
    project.configure(**{"datasets.unequal": UNEQUAL | {"imbalance": imbalance}})
    done = project.snakemake("-n", "results/unequal/confusion.png")
    assert done.returncode != 0
    assert says in done.stdout


def test_an_experiment_that_is_off_says_how_to_switch_it_on(project):
    done = project.snakemake("-n", "results/digits/pruning_imbalanced.png")
    assert done.returncode != 0
    assert "datasets.digits.experiments has no section pruning_imbalanced" in done.stdout


def test_without_known_wrong_labels_there_is_nothing_to_detect(project):
    project.configure(**{"datasets.unequal": {name: value for name, value in UNEQUAL.items() if not name.startswith("flip")}})
    done = project.snakemake("-n", "results/unequal/noise_detection.png")
    assert done.returncode != 0
    assert "datasets.unequal.experiments.label_noise.noisy: names no data set" in done.stdout
