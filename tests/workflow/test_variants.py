"""Experiments that change the recipe: no scores, no training twice, and an edit reruns what it touches."""

import pandas as pd
import pytest

pytestmark = pytest.mark.long

FIGURES = ("results/digits/imbalance.png", "results/digits/sweep.png")
VALUES = {"recipe.optimiser.lr": [0.01, 0.1], "recipe.epochs": [1, 2]}
SWEEPS = {"sweep sweep optimiser_lr", "sweep sweep epochs"}
WAYS = {"sweep imbalance none", "sweep imbalance sampler"}
DRAWN = {"draw_imbalance", "draw_sweep"}


@pytest.fixture(scope="module")
def varied(finished, tmp_path_factory):
    """The tiny study with both experiments."""
    project = finished.copied(tmp_path_factory.mktemp("varied") / "study")
    assert project.plan(*FIGURES) == SWEEPS | WAYS | DRAWN, "no score is needed"
    project.make(*FIGURES)
    return project


@pytest.fixture
def study(varied):
    """The same; edits of code and config are undone after the test."""
    kept = {path: (varied.folder / path).read_bytes() for path in ("config.yaml", "pipeline_lib/prune/vary.py")}
    yield varied
    for path, content in kept.items():
        (varied.folder / path).write_bytes(content)


def table(project, name):
    return pd.read_csv(project.folder / f"results/digits/{name}.csv")


def test_a_finished_study_has_nothing_to_do(study):
    assert study.plan(*FIGURES) == set()


def test_nothing_done_is_the_training_on_all_data_of_the_other_experiments(varied):
    none, full = table(varied, "sweeps/imbalance/none"), table(varied, "sweeps/sliding_window/full")
    assert none["run"].tolist() == full["run"].tolist()
    log = (varied.folder / "results/digits/logs/sweep/imbalance/none.log").read_text()
    assert "2 runs, 0 of them trained now" in log


def test_keys_share_the_trainings_with_the_own_values_of_the_recipe(varied):
    rates, epochs = table(varied, "sweeps/sweep/optimiser_lr"), table(varied, "sweeps/sweep/epochs")
    assert set(rates.query("point == 0.1")["run"]) == set(epochs.query("point == 2")["run"])
    assert rates["run"].nunique() == 4


def test_what_is_chosen_was_held_out(varied):
    runs = table(varied, "sweeps/sweep/epochs")
    assert (runs["kept"] == 1438 - 287).all(), "a fifth of every class, rounded"
    chosen = table(varied, "sweep").query("chosen")
    assert chosen["key"].tolist() == ["optimiser.lr", "epochs"]
    best = runs.groupby("point")["validation_balanced_accuracy"].mean().idxmax()
    assert float(chosen["value"].iloc[1]) == best
    assert table(varied, "sweep_losses").groupby(["key", "value"]).size().tolist() == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"values": VALUES | {"recipe.epochs": [1, 2, 3]}}, {"sweep sweep epochs", "draw_sweep"}),
        ({"values": VALUES | {"recipe.batch": [64, 128]}}, {"sweep sweep batch", "draw_sweep"}),
        ({"validation": 0.3}, SWEEPS | {"draw_sweep"}),
        ({"seeds": 3}, SWEEPS | {"draw_sweep"}),
    ],
    ids=["value added", "key added", "validation", "seeds"],
)
def test_a_change_of_the_section_reruns_what_it_touches(study, changes, expected):
    study.configure(**{f"datasets.digits.experiments.sweep.{key}": value for key, value in changes.items()})
    assert study.plan(*FIGURES) == expected


def test_a_change_of_the_recipe_reruns_everything_that_varies_it(study):
    study.configure(**{"recipes.training.width": 5})
    assert study.plan(*FIGURES) == SWEEPS | WAYS | DRAWN


def test_a_change_of_metrics_and_scoring_reruns_nothing(study):
    study.configure(**{"metrics.el2n": {"epoch": 1}, "recipes.scoring.batch": 64})
    assert study.plan(*FIGURES) == set()


def test_another_split_reruns_all_sweeps(study):
    study.edit("pipeline_lib/prune/vary.py", '"validation split"', '"another split"')
    assert study.plan(*FIGURES) >= SWEEPS | {"draw_sweep"}


@pytest.mark.parametrize(
    ("changes", "target", "says"),
    [
        ({}, "sweeps/sweep/momentum.csv", "sweep of digits does not vary 'momentum'; it varies optimiser_lr, epochs"),
        ({}, "sweeps/imbalance/none_at_all.csv", "imbalance of digits does not vary 'none_at_all'; it varies none, sampler"),
        (
            {"datasets.digits.experiments.sweep.values": {"recipe.batch": [64, 2000]}},
            "sweep.png",
            "sweep of digits by batch, 2000: 1151 examples are fewer than one batch of 2000",
        ),
        (
            {"datasets.digits.experiments.sweep.values": {"recipe.learning_rate": [1]}},
            "sweep.png",
            "datasets.digits.experiments.sweep: values: no recipe has a key 'recipe.learning_rate'",
        ),
        (
            {"datasets.digits.experiments.sweep.values": {"recipe.optimiser.lr": [0]}},
            "sweep.png",
            "datasets.digits.experiments.sweep: recipe.optimiser.lr: should be greater than 0, not 0",
        ),
        ({"datasets.digits.experiments": {"label_noise": {}}}, "sweep.png", "datasets.digits.experiments has no section sweep"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_training(study, changes, target, says):
    study.configure(**changes)
    done = study.snakemake("-n", f"results/digits/{target}")
    assert done.returncode != 0
    assert says in done.stdout
