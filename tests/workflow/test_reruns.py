"""Edit this, expect exactly these jobs."""

import os
import time

import numpy as np
import pandas as pd
import pytest

from tests.workflow.conftest import CORRELATION, SLIDING_WINDOW

SEEDS = {"train_seed 0", "train_seed 1"}
DRAW = {"draw_sliding_window", "draw_correlation spearman"}
BASELINES = {"sweep full", "sweep random", "sweep repeated_random"}
SWEEPS = {"sweep el2n", "sweep forget", "sweep km"}
EL2N = {"score el2n", "sweep el2n"} | DRAW
FORGET = {"score forget", "score forget_raw", "sweep forget"} | DRAW  # forget counts with forget_raw's helper
KM = {"cluster prototypes elbow", "score km", "sweep km"} | DRAW
DYNAMICS = {"score el2n", "score forget", "score forget_raw", "sweep el2n", "sweep forget"} | DRAW

CODE = {
    "metric code": ("metrics/el2n.py", "return total / len(dynamics.seeds)", "return 2 * total / len(dynamics.seeds)", EL2N),
    "metric comment": ("metrics/el2n.py", "    total = np.zeros", "    # sum of norms\n    total  =  np.zeros", set()),
    "metric docstring": ("metrics/el2n.py", "Return the mean error norm", "Return the mean norm of the error", set()),
    "shared helper": ("metrics/forget_raw.py", "& ~correct[1:]).sum(axis=0)", "& ~correct[1:]).sum(axis=0) + 0", FORGET),
    "reader of dynamics": ("dynamics.py", "z /= z.sum(axis=1, keepdims=True)", "z /= 1 * z.sum(axis=1, keepdims=True)", DYNAMICS),
    "k-means": ("learn/cluster.py", "ITERATIONS = 25", "ITERATIONS = 24", KM),
    "SwAV": ("learn/swav.py", "FORWARD = 1024", "FORWARD = 1000", {"train_swav"} | KM),
    "selection rule": ("prune/select.py", "+ Fraction(1, 2))", "+ Fraction(1, 3))", SWEEPS | BASELINES | {"draw_sliding_window"}),
    "training loop": (
        "learn/train.py",
        "sum(epoch.images for epoch in planned)",
        "1 * sum(epoch.images for epoch in planned)",
        SEEDS | {"score el2n", "score forget", "score forget_raw"} | SWEEPS | BASELINES | DRAW,
    ),
    "yardstick of the speed": ("learn/speed.py", '"cpu": 6', '"cpu": 7', set()),
    "words of an error": ("storage.py", "no space left on the disk while writing", "the disk is full", set()),
    "testing of a trained model": (
        "learn/train.py",
        "return Tested(confusion.accuracy(found),",
        "return Tested(1 * confusion.accuracy(found),",
        SEEDS | {"score el2n", "score forget", "score forget_raw"} | SWEEPS | BASELINES | DRAW,
    ),
    "recorder": ("learn/record.py", "clean.argmax(dim=1).to(", "(1 * clean).argmax(dim=1).to(", SEEDS | DYNAMICS),
    "figure": ("draw/sweeps.py", "MARGIN = 0.04", "MARGIN = 0.05", {"draw_sliding_window"}),
    "interval": ("analyse/statistics.py", "CONFIDENCE = 0.95", "CONFIDENCE = 0.9", DRAW),
    "config code": ("config/datasets.py", "SOURCES = (", "UNUSED = 1\nSOURCES = (", set()),
}

SECTION = "experiments.sliding_window"
TRAINING = SWEEPS | BASELINES | {"draw_sliding_window"}
CONFIG = {
    "metric parameter": ({"metrics.el2n": {"epoch": 1}}, EL2N),
    "metric parameter at its default": ({"metrics.el2n": {"epoch": "last"}}, set()),
    "number of clusters": ({"metrics.km": {"k": 5}}, {"cluster prototypes 5", "score km", "sweep km"} | DRAW),
    "training recipe": ({"recipes.training.epochs": 3}, TRAINING),
    "scoring recipe": ({"recipes.scoring.batch": 64}, SEEDS | DYNAMICS),
    "SwAV section": ({"swav.quick.prototypes": 12}, {"train_swav"} | KM),
    "elbow range": ({"swav.quick.elbow": [2, 9]}, KM),
    "window start added": ({f"{SECTION}.starts": [0, 0.3, 0.6]}, SWEEPS | {"draw_sliding_window"}),
    "training seed added": ({f"{SECTION}.seeds": 3}, TRAINING),
    "ensemble seed added": ({"ensemble.seeds": 3}, {"train_seed 2"} | DYNAMICS),
    "metric added": ({"metrics.flip": {}}, {"score flip", "draw_correlation spearman"}),
    "metric swept": (
        {"metrics.flip": {}, f"{SECTION}.metrics": ["el2n", "forget", "km", "flip"]},
        {"score flip", "sweep flip"} | DRAW,
    ),
    "another data set": (
        {"datasets.other": {"base": "digits", "swav": "quick", "recipes": {"scoring": "scoring", "training": "training"}}},
        set(),
    ),
    "device": ({"device": "auto"}, set()),
    "what jobs ask a cluster for": ({"cluster": {"growth": 3, "images_per_second": {"cpu": {"small_cnn": 10}}}}, set()),
    "study seed": ({"seed": 1}, {"prepare_dataset", "train_swav"} | SEEDS | DYNAMICS | KM | BASELINES),
}


def test_a_finished_study_has_nothing_to_do(project):
    assert project.plan(SLIDING_WINDOW, CORRELATION) == set()


@pytest.mark.parametrize("case", CODE)
def test_code(project, case):
    path, old, new, expected = CODE[case]
    project.edit(f"pipeline_lib/{path}", old, new)
    assert project.plan(SLIDING_WINDOW, CORRELATION) == expected


@pytest.mark.parametrize("case", CONFIG)
def test_config(project, case):
    changes, expected = CONFIG[case]
    project.configure(**changes)
    assert project.plan(SLIDING_WINDOW, CORRELATION) == expected


def files_of(project):
    """All files but what Snakemake keeps for itself."""
    return [path for path in project.folder.rglob("*") if path.is_file() and ".snakemake" not in path.parts]


def test_touched_files(project):
    for path in files_of(project):
        os.utime(path)
    assert project.plan(SLIDING_WINDOW, CORRELATION) == set()


def test_a_changed_picture_is_noticed_even_if_the_run_stops_between(copy):
    """The settings are what they were, and so are the numbers of images."""
    copy.edit("pipeline_lib/data/digits.py", "255 / BRIGHTEST", "254 / BRIGHTEST")
    copy.make("data/digits/dataset.h5")
    copy.edit("pipeline_lib/data/digits.py", "254 / BRIGHTEST", "255 / BRIGHTEST")
    copy.snakemake("--touch", "data/digits/dataset.h5")
    assert "train_seed 0" in copy.plan(SLIDING_WINDOW, CORRELATION)


def test_a_touched_data_set_too_large_for_checksums(project):
    """Snakemake goes by the date of a file that it may not read; a `cp -r` would have all be trained again."""
    limit, data = 200_000, project.folder / "data/digits/dataset.h5"
    assert data.stat().st_size > limit
    now = time.time()
    for path in files_of(project):
        os.utime(path, (now, now - 60 * (path != data)))
    assert project.plan("--max-checksum-file-size", str(limit), SLIDING_WINDOW, CORRELATION) == set()


def test_a_touched_archive(copy):
    """Its content is fixed by checksums, and it is larger than what Snakemake reads."""
    recipes = {"scoring": "scoring", "training": "training"}
    copy.configure(**{"datasets.cifar10": {"source": "cifar10", "recipes": recipes, "swav": "quick"}})
    for path in ("data/cifar10/dataset.h5", "data/cifar10/classes.csv", "data/archives/cifar10.tar.gz"):
        (copy.folder / path).parent.mkdir(exist_ok=True)
        (copy.folder / path).write_bytes(b"whatever")
    os.truncate(copy.folder / "data/archives/cifar10.tar.gz", 170_000_000)
    assert copy.plan("data/cifar10/dataset.h5") == set()


def test_a_script_comment_and_a_script_change(project):
    project.edit("workflow/scripts/draw_sweeps.py", "with job(", "# here\nwith job(")
    assert project.plan(SLIDING_WINDOW, CORRELATION) == set()
    project.edit("workflow/scripts/score.py", "scores.write(", "score = 1 * score\n    scores.write(")
    assert project.plan(SLIDING_WINDOW, CORRELATION) == DYNAMICS | {"score km", "sweep km"}


def test_a_new_metric_is_a_file_and_a_line(project):
    source = (project.folder / "pipeline_lib/metrics/pred_sum.py").read_text()
    (project.folder / "pipeline_lib/metrics/mine.py").write_text(source)
    project.configure(**{"metrics.mine": {}, f"{SECTION}.metrics": ["el2n", "forget", "km", "mine"]})
    assert project.plan(SLIDING_WINDOW, CORRELATION) == {"score mine", "sweep mine"} | DRAW


def test_an_edit_reaches_its_consumers_even_if_the_run_stops_between(copy):
    copy.edit("pipeline_lib/metrics/el2n.py", "return total / len", "return 2 * total / len")
    copy.make("results/digits/scores/el2n.h5")
    assert copy.plan(SLIDING_WINDOW, CORRELATION) == EL2N - {"score el2n"}


def test_another_way_of_testing_is_not_answered_from_the_run_store(copy):
    copy.edit("pipeline_lib/learn/train.py", "Tested(confusion.accuracy(found),", "Tested(confusion.accuracy(found) / 2,")
    before = pd.read_csv(copy.folder / "results/digits/sliding_window.csv")["accuracy_mean"]
    copy.make(SLIDING_WINDOW)
    assert np.allclose(pd.read_csv(copy.folder / "results/digits/sliding_window.csv")["accuracy_mean"], before / 2)


def test_an_edit_that_leaves_the_subsets_alone_trains_nothing(copy):
    before = (copy.folder / "results/digits/sliding_window.csv").read_bytes()
    copy.edit("pipeline_lib/metrics/el2n.py", "return total / len", "return 2 * total / len")
    copy.make(SLIDING_WINDOW)
    assert "0 of them trained now" in (copy.folder / "results/digits/logs/sweep/sliding_window/el2n.log").read_text()
    assert (copy.folder / "results/digits/sliding_window.csv").read_bytes() == before
