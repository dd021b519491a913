"""The learned cut-off in the workflow: what depends on it, what it says, and what is refused or warned of early."""

import numpy as np
import pandas as pd
import pytest

TARGETS = ("results/digits/noise_cutoff.png", "results/digits_noisy/relabel.png", "results/digits_noisy/threshold_margins.png")
RANKING = "results/digits/ranking.csv"


@pytest.fixture(scope="module")
def judged(finished, tmp_path_factory):
    """The tiny study with its cut-offs, on right and on wrong labels."""
    project = finished.copied(tmp_path_factory.mktemp("cut off") / "study")
    project.make(*TARGETS, RANKING)
    return project


def table(project, name):
    return pd.read_csv(project.folder / f"results/{name}.csv")


def test_nothing_is_left_to_do(judged):
    assert judged.plan(*TARGETS, RANKING) == set()


def test_another_percentile_trains_nothing_again(judged):
    config = (judged.folder / "config.yaml").read_bytes()
    judged.configure(threshold={"percentile": 90})
    jobs = judged.plan(RANKING)
    (judged.folder / "config.yaml").write_bytes(config)
    assert jobs == {"judge_threshold", "rank_examples"}


def test_another_recipe_for_threshold_examples_trains_them_alone(judged):
    config = (judged.folder / "config.yaml").read_bytes()
    judged.configure(**{"recipes.threshold.epochs": 4})
    jobs = judged.plan(RANKING)
    (judged.folder / "config.yaml").write_bytes(config)
    assert jobs == {"train_threshold 0", "train_threshold 1", "judge_threshold", "rank_examples"}


def test_the_flags_of_the_ranking_are_the_votes(judged):
    ranking, votes = table(judged, "digits/ranking"), table(judged, "digits/threshold_votes")
    assert ranking["below_threshold"].tolist() == votes["below_threshold"].tolist()
    assert votes["judges"].tolist().count(1) == 2 * (1438 // 11), "the threshold examples of one run are judged by the other"
    assert (votes["below_threshold"] == (votes["votes"] > 0.5)).all()
    assert ranking.loc[ranking["below_threshold"], "rule"].str.contains("no higher than 99% of the threshold examples").all()


def test_the_cut_offs_are_measured_where_the_truth_is_known(judged):
    known, unknown = table(judged, "digits_noisy/threshold"), table(judged, "digits/threshold")
    assert known["recall"].between(0, 1).all()
    assert unknown["recall"].isna().all()
    counted = table(judged, "digits_noisy/threshold_votes")["below_threshold"].sum()
    decided = known[(known["run"] == "all") & known["decides"]]
    assert decided["doubted"].tolist() == [counted]


def test_without_the_doubted_labels_as_many_are_kept_as_without_others(judged):
    rows = table(judged, "digits_noisy/relabel").set_index(["by", "point"])["left_out"]
    for by in ("threshold", "truth"):
        assert rows[by, "without the doubted"] == rows[by, "without as many at random"] > 0
    assert rows["truth", "without the doubted"] == round(0.2 * 1438)
    runs = table(judged, "digits_noisy/sweeps/relabel/truth")
    assert runs.groupby("point")["run"].nunique().tolist() == [2, 2]


def test_flags_and_scores_are_compared_on_every_kind(judged):
    found = table(judged, "digits/noise_cutoff")
    assert set(found["measure"]) == {"precision", "recall", "f1", "auroc"}
    assert {"threshold", "lead", "el2n", "threshold training AUM"} <= set(found["by"])
    assert np.isfinite(found.loc[found["by"] == "el2n", "value"]).all()


def test_a_cut_off_without_a_recipe_is_refused_in_words(project):
    recipes = {"scoring": "scoring", "training": "training"}
    project.configure(**{"datasets.digits.recipes": recipes, "datasets.digits.experiments": {}})
    done = project.snakemake("-n", "results/digits/threshold.csv")
    assert done.returncode != 0
    assert (
        "datasets.digits.recipes.threshold names no recipe, so there is no learned cut-off. Name one whose learning" in done.stdout
    )
    assert "train_threshold 0" not in project.plan(RANKING), "and the ranking does without"


def test_a_learning_rate_that_drops_is_warned_of_in_the_plan(project):
    project.configure(**{"recipes.threshold.schedule": {"name": "onecycle"}})
    done = project.snakemake("-n", "results/digits/threshold.csv")
    assert done.returncode == 0
    assert done.stdout.count("recipes.threshold.schedule: onecycle lowers the learning rate, and then wrong labels are learnt") == 1


def test_an_experiment_that_is_off_is_refused_in_words(project):
    done = project.snakemake("-n", "results/digits/relabel.png")
    assert done.returncode != 0
    assert "datasets.digits.experiments has no section relabel, and the study's has none: name it there to switch" in done.stdout
