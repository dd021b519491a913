"""Every experiment on the tiny study: the report builds all of it, and one metric more trains nothing that is not new."""

import re

import h5py
import pandas as pd
import pytest

from tests.workflow.conftest import ROOT

REPORT = "results/digits/report.html"
FIGURES = (
    *("sliding_window", "prune_easiest", "prune_hardest", "prune_fixed", "prune_stratified", "clusters", "curriculum"),
    *("area", "cost", "label_noise", "noise_detection", "reliability", "distributions", "data_map", "tsne", "elbow"),
    *("correlation_pearson", "correlation_spearman", "augmentations", "examples/el2n", "confusion"),
    *("threshold_margins", "noise_cutoff", "imbalance", "sweep", "suspicious", "suspicious_test"),
)


@pytest.fixture(scope="module")
def reported(finished, tmp_path_factory):
    """The tiny study with everything that a report holds."""
    project = finished.copied(tmp_path_factory.mktemp("everything") / "study")
    project.output = project.make(REPORT)
    return project


def table(project, name):
    return pd.read_csv(project.folder / f"results/digits/{name}.csv")


def test_every_figure_has_its_table_and_both_are_in_the_report(reported):
    page = (reported.folder / REPORT).read_text()
    for name in FIGURES:
        assert (reported.folder / f"results/digits/{name}.png").stat().st_size > 10_000, name
        assert len(table(reported, name)), name
    # one picture for each figure: the examples of every metric but random
    assert page.count("data:image/png;base64,") == len(FIGURES) - 1 + 4
    assert len(page) < 15e6


def test_every_file_and_array_is_described(reported):
    described = (ROOT / "docs/files.md").read_text()
    results = reported.folder / "results/digits"
    tables = [str(path.relative_to(results).with_suffix("")) for path in results.glob("*.csv")]
    assert len(tables) > 30
    assert [name for name in tables if f"`{name}" not in described and "correlation_" not in name] == []
    files = [reported.folder / "data/digits/dataset.h5", *(results / "dynamics").glob("*.h5"), *(results / "scores").glob("*.h5")]
    files += [path for folder in ("features", "clusters", "threshold") for path in (results / folder).glob("*.h5")]
    assert len(files) > 8
    names = {name for path in files for name in arrays_of(path)}
    assert sorted(name for name in names if f"`{name}`" not in described and not name.endswith(("_loss", "_accuracy"))) == []


def test_the_list_of_test_labels_is_of_the_test_images(reported):
    with h5py.File(reported.folder / "data/digits/dataset.h5") as file:
        labels, ids = file["test/labels"][:], file["test/source_id"].asstr()[:]
    assert len(table(reported, "belief_test")) == len(labels) == 359
    listed = table(reported, "suspicious_test")
    assert len(listed) > 0
    assert listed["file"].tolist() == [ids[index] for index in listed["index"]]
    assert listed["label"].tolist() == [labels[index] for index in listed["index"]], "classes are called by their digit"
    assert (listed["suggested_label"] != listed["label"]).all()


def arrays_of(path):
    names = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return names


def test_the_report_trains_no_ensemble_member_again(reported):
    assert "Train seed 0 of the ensemble on digits and" not in reported.output
    assert "Train seed 0 of the ensemble on digits_noisy and" in reported.output


def test_a_finished_report_has_nothing_to_do(reported):
    assert reported.plan(REPORT) == set()


def test_an_edit_of_what_makes_a_table_reaches_its_readers_even_if_the_run_stops_between(reported, tmp_path):
    copy = reported.copied(tmp_path / "copy")
    copy.edit("pipeline_lib/draw/noise_detection.py", "ROW = 0.3 ", "ROW = 0.4 ")
    copy.make("results/digits/noise_detection.csv")
    assert copy.plan("results/digits/claims.csv") == {"judge_claims"}


def test_a_rule_that_reads_what_no_step_is_known_of_is_refused(project):
    """Its results would not follow the changes of what it reads."""
    project.edit("workflow/rules/analyse.smk", r'/noise_detection\.csv"): noise_step', r'/noise\.csv"): noise_step')
    done = project.snakemake("-n", "results/digits/claims.csv")
    assert done.returncode != 0
    assert "results/digits/noise_detection.csv: no step in STEPS makes it" in done.stdout


def test_one_metric_more_trains_nothing_that_is_not_new(reported):
    config = (reported.folder / "config.yaml").read_bytes()
    reported.configure(**{"metrics.std": {}, "experiments.prune_easiest.metrics": ["el2n", "km", "std"]})
    jobs = reported.plan("results/digits/prune_easiest.png", "results/digits/ranking.csv", "results/digits/reliability.png")
    (reported.folder / "config.yaml").write_bytes(config)
    drawn = {"draw_prune_easiest", "draw_reliability", "rank_examples"}
    assert jobs == {"score std", "sweep prune_easiest std"} | drawn


def test_every_row_of_a_sweep_counts_its_classes(reported):
    for experiment in ("prune_stratified", "prune_fixed"):
        runs = table(reported, f"sweeps/{experiment}/el2n")
        kept = runs[[f"kept_{digit}" for digit in range(10)]]
        assert (kept.sum(axis=1) == runs["kept"]).all()
        whole = table(reported, "sweeps/prune_fixed/full")[kept.columns].iloc[0]
        assert ((kept[runs["balanced"]] - whole / 2).abs() < 1).all(axis=None)
        assert ((kept[~runs["balanced"]] - whole / 2).abs() >= 1).any(axis=None)


def test_equal_steps_are_as_many_as_on_all_data(reported):
    runs = table(reported, "sweeps/prune_stratified/el2n").groupby("budget")["steps"].unique()
    full = table(reported, "sweeps/prune_stratified/full")["steps"].unique()
    assert runs["steps"].tolist() == full.tolist()
    assert max(runs["epochs"]) < min(full)


def test_a_followed_run_ends_with_its_accuracy(reported):
    for path in ("prune_fixed/el2n", "curriculum/km", "curriculum/full"):
        runs = table(reported, f"sweeps/{path}")
        assert (runs["epoch_2"] == runs["accuracy"]).all()


def test_random_subsets_are_trained_once_for_all_experiments(reported):
    half = {name: table(reported, f"sweeps/{name}/random").query("point == 0.5") for name in ("prune_easiest", "prune_hardest")}
    assert set(half["prune_easiest"]["run"]) == set(half["prune_hardest"]["run"])


def test_the_ranking_names_every_example(reported):
    ranking = table(reported, "ranking")
    assert ranking["index"].tolist() == list(range(1438))
    assert {"file", "label", "el2n", "el2n_rank", "km_rank", "likely_mislabelled", "suggested_label", "rule"} <= set(
        ranking.columns
    )
    hardest = ranking.sort_values("el2n_rank").iloc[0]
    assert hardest["el2n"] == ranking["el2n"].max()


def test_every_claim_has_a_verdict(reported):
    claims = table(reported, "claims")
    assert set(claims["verdict"]) <= {"supported", "contradicted", "undecided", "not tested"}
    assert len(claims) == 11


def test_the_cost_counts_the_scoring(reported):
    cost = table(reported, "cost").set_index(["metric", "point"])
    assert cost.loc[("random", 0.5), "scoring_flops"].item() == 0
    assert (cost.loc["el2n", "scoring_flops"] > 0).all()
    assert cost.loc["full", "relative_cost"].item() == 1
    assert (cost["total_flops"] == cost["training_flops"] + cost["scoring_flops"]).all()


def test_noise_without_a_twin_says_what_to_add(reported):
    done = reported.snakemake("-n", "results/digits_noisy/label_noise.png")
    assert done.returncode != 0
    assert "datasets.digits_noisy.experiments.label_noise.noisy: names no data set" in done.stdout


@pytest.mark.parametrize(
    ("changes", "target", "says"),
    [
        ({"experiments.curriculum.add": 0.1}, "curriculum.png", "curriculum of digits by el2n, km: 5 additions, one every 1 epoch"),
        (
            {"experiments.prune_easiest.shares": [0.5, 0.95]},
            "prune_easiest.png",
            "by el2n, km, 0.95: 72 examples are fewer than one",
        ),
        ({"experiments.clusters.k": [5, 2000]}, "clusters.png", "km_prototypes_2000 of digits: 2000 clusters asked for, but"),
        ({"ensemble.seeds": 1, "metrics.std": {}}, "scores/std.h5", "metrics.std: needs at least 2 ensemble seeds, digits has 1"),
        ({"experiments.prune_easiest.shares": [0.1, 0.3]}, "area.png", "the area needs 0.2, 0.4, 0.5, 0.6, 0.7 as well"),
        ({}, "subsets/el2n_60-40.csv", "examples from 60 to 40%: a range of difficulty begins below its end"),
        ({"datasets.digits.swav": None}, "scores/km.h5", "datasets.digits.swav names no section, but km"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_training(project, changes, target, says):
    project.configure(**changes)
    done = project.snakemake("-n", f"results/digits/{target}")
    assert done.returncode != 0
    assert says in done.stdout


def test_a_report_without_the_shares_of_the_area_leaves_it_out(project):
    project.configure(**{"experiments.prune_easiest.shares": [0.1, 0.3]})
    plan = project.plan(REPORT)
    assert "draw_cost" in plan
    assert "draw_area" not in plan


def test_without_features_nothing_waits_for_them(project):
    """SwAV is a third of the time of a ranking, and may fail on few images."""
    project.configure(**{"datasets.digits.swav": None, "datasets.digits_noisy.swav": None})
    planned = project.plan("results/digits/report.html", "results/digits/ranking.csv")
    assert not {job for job in planned if re.search(r"swav|cluster|\bkm|elbow|tsne", job)}
    assert {"draw_distributions", "rank_examples", "judge_claims", "report"} <= planned
