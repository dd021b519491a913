"""Threshold examples: who they are, where they cut, and how several trainings vote."""

from contextlib import ExitStack

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pipeline_lib import storage
from pipeline_lib.analyse.cutoffs import rows_of_flags
from pipeline_lib.analyse.margins import curves, groups_of, histogram
from pipeline_lib.analyse.ranking import AND_RULE, RULE, below_cut_off, ranking
from pipeline_lib.analyse.threshold import (
    ALL_RUNS,
    CUT_OFFS,
    VOTES,
    Run,
    cut_offs,
    found,
    open_run,
    read_votes,
    small_classes,
    votes,
)
from pipeline_lib.data import threshold
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from tests.unit.recordings import of_logits
from tests.unit.test_dynamics_file import recorded

AUM = np.array([9.0, 5.0, 1.0, -1.0, -3.0, 4.0, 2.0, 8.0])


def run(members, aum=AUM) -> Run:
    chosen = np.isin(np.arange(len(aum)), members)
    return Run(chosen, {"training": np.asarray(aum, dtype=float), "clean": np.asarray(aum, dtype=float) + 100})


@pytest.mark.parametrize(("examples", "classes", "size"), [(1000, 9, 100), (1438, 10, 130), (5, 10, 1)])
def test_as_many_as_the_average_class_has(examples, classes, size):
    assert len(threshold.members(examples, classes, 0, 0)) == size


def test_the_runs_of_one_round_have_no_threshold_example_in_common():
    sets = [threshold.members(110, 10, number, 0) for number in range(11)]
    assert np.array_equal(np.sort(np.concatenate(sets)), np.arange(110))
    assert np.array_equal(sets[3], np.unique(sets[3]))
    later = threshold.members(110, 10, 11, 0)
    assert not np.array_equal(later, sets[0])
    assert np.array_equal(threshold.members(110, 10, 3, 0), sets[3])
    assert not np.array_equal(threshold.members(110, 10, 3, 1), sets[3])


def test_threshold_examples_have_a_class_of_their_own_and_nothing_else_changes():
    images = np.zeros((6, 1, 8, 8), np.uint8)
    labels = np.array([0, 1, 2, 0, 1, 2])
    base = Dataset(images, labels, images[:3], labels[:3], ["a", "b", "c"], [str(i) for i in range(6)])
    changed = threshold.with_threshold_class(base, np.array([1, 5]))
    assert changed.train_labels.tolist() == [0, 3, 2, 0, 1, 3]
    assert changed.class_names == ["a", "b", "c", threshold.NAME]
    assert base.train_labels.tolist() == labels.tolist(), "the base is as it was"
    assert changed.test_labels is base.test_labels


def test_aum_of_a_threshold_example_is_that_of_its_own_class():
    """By hand: one seed, two epochs; example 1 is a threshold example (class 2)."""
    logits = [[[[3.0, 1.0, 0.0], [4.0, 1.0, 2.0]], [[5.0, 1.0, 0.0], [1.0, 2.0, 4.0]]]]
    made = Run.of(of_logits(logits, [0, 2]), np.array([False, True]))
    assert made.aum["clean"].tolist() == [3, 0]  # (2 + 4) / 2; (-2 + 2) / 2
    assert made.aum["training"].tolist() == [3, 0]


def test_the_cut_off_is_the_percentile_of_the_threshold_examples():
    one = run([2, 3, 4])  # AUM 1, -1, -3
    assert one.cut_off("training", 100) == 1
    assert one.cut_off("training", 50) == -1
    assert one.cut_off("training", 75) == 0
    assert one.cut_off("clean", 50) == 99
    assert one.doubted("training", 100).tolist() == [False] * 8, "its own members are not judged, the others lie above"
    assert run([5]).doubted("training", 99).tolist() == [False, False, True, True, True, False, True, False]


def test_two_runs_must_both_doubt_and_one_decides_on_the_others_members():
    first = run([5])  # cut-off 4: doubts 2, 3, 4, 6
    second = run([2], aum=[0, 9, 1, 0, 9, 1, 9, 1])  # cut-off 1: doubts 0, 3, 5, 7
    table = votes([first, second], "training", 99)
    assert tuple(table.columns) == VOTES
    assert table["judges"].tolist() == [2, 2, 1, 2, 2, 1, 2, 2]
    assert table["votes"].tolist() == [0.5, 0, 1, 1, 0.5, 1, 0.5, 0.5]
    assert table["below_threshold"].tolist() == [False, False, True, True, False, True, False, False]
    assert table["aum_training"].tolist() == [4.5, 7, 1, -0.5, 3, 1, 5.5, 4.5]


def test_of_three_runs_two_decide():
    runs = [run([5]), run([5]), run([0], aum=[4, 9, 9, 0, 9, 9, 9, 9])]
    table = votes(runs, "training", 99)
    assert table["votes"].tolist() == [0, 0, 2 / 3, 1, 2 / 3, 0, 2 / 3, 0]
    assert table["below_threshold"].tolist() == [False, False, True, True, True, False, True, False]


def test_an_example_that_nobody_judges_is_refused():
    with pytest.raises(PipelineError, match="1 examples are so in all of 2 runs"):
        votes([run([1, 2]), run([2, 3])], "training", 99)


def test_precision_recall_and_f1_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    wrong, flag = rng.random(300) < 0.2, rng.random(300) < 0.3
    values = found(flag, wrong, 0)
    expected = precision_recall_fscore_support(wrong, flag, average="binary")[:3]
    assert [values[name] for name in ("precision", "recall", "f1")] == pytest.approx(expected)
    for name in ("precision", "recall", "f1"):
        assert 0 <= values[f"{name}_low"] < values[name] < values[f"{name}_high"] <= 1


def test_where_nothing_is_flagged_there_is_no_precision_and_no_recall():
    values = found(np.zeros(20, bool), np.arange(20) < 5, 0)
    assert np.isnan(values["precision"])
    assert values["recall"] == values["f1"] == 0


def test_the_table_has_every_run_by_both_kinds_of_margins_and_the_vote():
    wrong = np.array([False, False, True, True, True, False, False, False])
    table = cut_offs([run([5]), run([0])], "training", 99, wrong, 0)
    assert tuple(table.columns) == CUT_OFFS
    assert table["run"].tolist() == [0, 1, ALL_RUNS] * 2
    assert table["decides"].tolist() == [True] * 3 + [False] * 3
    first = table.iloc[0]
    assert (first["cut_off"], first["threshold_examples"], first["judged"], first["doubted"]) == (4, 1, 7, 4)
    assert (first["precision"], first["recall"]) == (0.75, 1)
    assert cut_offs([run([5]), run([0])], "training", 99, None, 0)["precision"].isna().all()


def write(path, fitted):
    arrays = recorded(0, examples=len(fitted), classes=5) | {"fitted_labels": np.asarray(fitted)}
    storage.write_h5(path, arrays, {"dataset": "fingerprint"})
    return path


def test_a_recorded_run_says_who_its_threshold_examples_are(tmp_path):
    labels = np.array([0, 1, 2, 3, 0])
    with ExitStack() as stack:
        dynamics, members = open_run(stack, write(tmp_path / "run0.h5", [0, 4, 2, 3, 4]), labels, "fingerprint")
        assert members.tolist() == [False, True, False, False, True]
        assert dynamics.labels.tolist() == [0, 4, 2, 3, 4]
        own = dynamics.logits(0, 0)
        margin = np.mean([dynamics.logits(0, t)[1, 4] - np.delete(dynamics.logits(0, t)[1], 4).max() for t in range(3)])
        assert own.shape == (5, 5)
        assert Run.of(dynamics, members).aum["clean"][1] == pytest.approx(margin)


@pytest.mark.parametrize("fitted", [[0, 1, 2, 3, 0], [4, 4, 2, 3, 1], [0, 4, 2, 3]])
def test_a_run_on_other_labels_is_refused(tmp_path, fitted):
    with ExitStack() as stack, pytest.raises(PipelineError, match="other labels than the data set has. Delete it and run"):
        open_run(stack, write(tmp_path / "run0.h5", fitted), np.array([0, 1, 2, 3, 0]), "fingerprint")


def test_votes_come_back_from_their_file(tmp_path):
    table = votes([run([5]), run([0])], "training", 99)
    storage.write_csv(tmp_path / "threshold_votes.csv", table)
    assert read_votes(tmp_path / "threshold_votes.csv", 8).equals(table)
    with pytest.raises(PipelineError, match="8 rows for 9 examples"):
        read_votes(tmp_path / "threshold_votes.csv", 9)


def test_both_flags_stand_in_the_ranking_with_their_rules():
    lead, suggested = np.array([True, False, True, False]), np.array([1, 1, 0, 0])
    names = ["w", "x", "y", "z"]
    table = ranking({"el2n": np.arange(4.0)}, np.array([0, 1, 1, 0]), ["a", "b"], names, lead, RULE, suggested)
    counted = votes([run([1], aum=[0, 5, 9, 1]), run([2], aum=[0, 9, 5, 2])], "training", 99)
    both = below_cut_off(table, counted, 99, np.array(["b", "a", "a", "b"], dtype=object))
    assert both["below_threshold"].tolist() == [True, False, False, True]
    assert both["threshold_votes"].tolist() == [1, 0, 0, 1]
    assert both["suggested_label"].tolist() == ["b", "", "a", "b"], "where the lead suggests nothing, the other class"
    assert list(both.columns[-3:]) == ["below_threshold", "threshold_votes", "rule"]
    first, second, third, fourth = both["rule"]
    assert first.startswith(RULE + AND_RULE)
    assert "no higher than 99%" in first
    assert (second, third) == ("", RULE)
    assert fourth.startswith("its AUM is no higher")


def test_the_area_between_the_two_curves_is_the_aum_of_the_group():
    logits = [[[[3.0, 1.0, 0.0], [4.0, 1.0, 2.0]], [[5.0, 1.0, 0.0], [1.0, 2.0, 4.0]]]]
    dynamics = of_logits(logits, [0, 2])
    for margins in ("training", "clean"):
        table = curves(dynamics, {"both": np.array([0, 1]), "one": np.array([1])}, margins)
        both = table[table["group"] == "both"]
        assert both["label_logit"].tolist() == [2.5, 4.5]
        assert both["other_logit"].tolist() == [2.5, 1.5]
        assert both["aum"].tolist() == [1.5, 1.5]
        assert table[table["group"] == "one"]["aum"].tolist() == [0, 0]


def test_groups_hold_the_ends_of_the_trusted_labels_and_leave_the_members_to_themselves():
    one = run([5])
    table = votes([one, run([0])], "training", 99)
    groups = groups_of(table, one, np.isin(np.arange(8), [3, 4]), "training")
    assert {name: members.tolist() for name, members in groups.items()} == {
        "easiest 10% of the right labels": [0],
        "hardest 10% of the right labels": [2],
        "wrong labels": [3, 4],
        "threshold examples": [5],
    }
    unknown = groups_of(table, one, None, "training")
    assert list(unknown)[:2] == ["easiest 10% of the undoubted labels", "hardest 10% of the undoubted labels"]
    assert unknown["doubted labels"].tolist() == np.flatnonzero(table["below_threshold"] & ~one.members).tolist()


def test_the_histogram_counts_every_example_once():
    wrong = np.isin(np.arange(8), [3, 4])
    table = histogram(run([5]), "training", wrong)
    assert table.groupby("part", sort=False)["count"].sum().to_dict() == {
        "right labels": 5,
        "wrong labels": 2,
        "threshold examples": 1,
    }
    assert len({tuple(rows["left"]) for _, rows in table.groupby("part")}) == 1, "the same bins for all"
    assert histogram(run([5]), "training", None)["part"].unique().tolist() == ["labels", "threshold examples"]


def test_flags_are_measured_one_row_per_rule_and_measure():
    wrong = np.array([True, True, False, False])
    table = rows_of_flags("noisy", {"lead": np.array([True, False, False, False]), "threshold": wrong}, wrong, 0)
    values = table.set_index(["by", "measure"])["value"].to_dict()
    assert values[("lead", "precision")] == 1
    assert values[("lead", "recall")] == 0.5
    assert values[("lead", "f1")] == pytest.approx(2 / 3)
    assert values[("threshold", "f1")] == 1
    assert set(table["wrong"]) == {2}


def test_classes_much_smaller_than_that_of_the_threshold_examples_are_named():
    labels = np.repeat([0, 1, 2], [80, 12, 8])
    chosen = threshold.members(100, 3, run=0, study_seed=0)  # 25 of them: 12 is less than half, 13 would not be
    assert small_classes(labels, np.isin(np.arange(100), chosen)).tolist() == [1, 2]
    equal = np.repeat([0, 1, 2, 3], 25)
    assert small_classes(equal, np.isin(np.arange(100), threshold.members(100, 4, run=0, study_seed=0))).tolist() == []
