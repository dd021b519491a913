"""Split-half reliability: the Spearman-Brown step by hand and against a longer ensemble, and what cannot be measured."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline_lib.analyse.reliability import COLUMNS, split_half, table
from pipeline_lib.dynamics import UnseenError
from pipeline_lib.errors import PipelineError

EXAMPLES = 4000


def ensemble(seeds, noise, seed=0):
    """Score by the mean over seeds of the truth and noise of a given size."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=EXAMPLES)
    members = truth + noise * rng.normal(size=(seeds, EXAMPLES))
    return lambda chosen: members[list(chosen)].mean(axis=0)


def test_halves_that_say_the_same_agree_fully():
    found = split_half(ensemble(6, 0), 6, 5, np.random.default_rng(0))
    assert found[:4] == pytest.approx((1, 1, 1, 1))


def test_halves_share_no_seed_and_are_equally_large():
    seen = []

    def score_of(chosen):
        seen.append(set(chosen))
        return np.arange(10.0)

    split_half(score_of, 7, 30, np.random.default_rng(0))
    for a, b in zip(seen[::2], seen[1::2], strict=True):
        assert len(a) == len(b) == 3
        assert not a & b
    assert set.union(*seen) == set(range(7))  # the one left out is not always the same


def test_four_seeds_have_three_splits_and_none_counts_twice():
    drawn = []
    found = split_half(lambda chosen: drawn.append(tuple(chosen)) or np.arange(5.0), 4, 50, np.random.default_rng(0))
    assert found.splits == 3
    assert len(drawn) == len(set(drawn)) == 6


def test_the_mean_is_over_splits_and_the_range_is_theirs():
    score_of = ensemble(6, 1)
    found = split_half(score_of, 6, 200, np.random.default_rng(0))
    halves = [((0, a, b), tuple(set(range(6)) - {0, a, b})) for a in range(1, 6) for b in range(a + 1, 6)]
    each = [stats.spearmanr(score_of(one), score_of(other)).statistic for one, other in halves]
    assert found.splits == len(each) == 10
    assert found.mean == pytest.approx(np.mean(each))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(each, [0.025, 0.975])))


@pytest.mark.parametrize(("seeds", "longer"), [(4, 2), (5, 2.5)])  # of five seeds a half has two
def test_the_step_up_by_hand(seeds, longer):
    found = split_half(ensemble(seeds, 1.5), seeds, 20, np.random.default_rng(0))
    assert found.full == pytest.approx(longer * found.mean / (1 + (longer - 1) * found.mean))


def test_the_step_up_foretells_two_whole_ensembles():
    score_of = ensemble(20, 2)  # two ensembles of ten on the same examples
    found = split_half(score_of, 10, 20, np.random.default_rng(0))
    between = stats.spearmanr(score_of(range(10)), score_of(range(10, 20))).statistic
    assert found.full == pytest.approx(between, abs=0.03)
    assert found.mean < between - 0.05


def test_halves_that_contradict_each_other_have_no_step_up():
    found = split_half(lambda chosen: np.arange(9.0) * (1 if 0 in chosen else -1), 4, 5, np.random.default_rng(0))
    assert found.mean == pytest.approx(-1)
    assert np.isnan(found.full)


def test_the_table_measures_all_metrics_on_the_same_splits():
    rows = table({"noisy": ensemble(6, 2), "exact": ensemble(6, 0), "again": ensemble(6, 2)}, 6, 10, study_seed=0)
    assert tuple(rows.columns) == COLUMNS
    rows = rows.set_index("metric")
    assert rows.loc["noisy", "half_mean"] == rows.loc["again", "half_mean"] < rows.loc["exact", "half_mean"]
    assert (rows["half_low"] <= rows["half_mean"]).all()
    assert (rows["seeds"] == 6).all()
    assert (rows["note"] == "").all()
    again = table({"noisy": ensemble(6, 2)}, 6, 10, study_seed=0)
    pd.testing.assert_series_equal(again.set_index("metric").loc["noisy"], rows.loc["noisy"])


def needs_two(chosen):
    if len(chosen) < 2:
        raise PipelineError("metric std needs at least 2 ensemble seeds")
    return np.arange(5.0) + len(chosen)


def test_a_metric_that_needs_two_seeds_is_not_measured_on_three():
    [row] = table({"std": needs_two}, 3, 5, study_seed=0).itertuples()
    assert np.isnan([row.half_mean, row.half_low, row.half_high, row.full]).all()
    assert "halves of one seed are too small" in row.note
    assert "needs at least 2" in row.note
    assert table({"std": needs_two}, 4, 5, study_seed=0)["note"].item() == ""


def test_other_errors_are_not_swallowed():
    def damaged(chosen):
        raise PipelineError("seed3.h5: damaged")

    with pytest.raises(PipelineError, match="damaged"):
        table({"el2n": damaged}, 10, 5, study_seed=0)


def test_one_seed_has_no_halves_and_equal_scores_no_order():
    assert "one seed" in table({"el2n": ensemble(1, 1)}, 1, 5, study_seed=0)["note"].item()
    [row] = table({"flat": lambda chosen: np.zeros(5)}, 4, 5, study_seed=0).itertuples()
    assert row.note == "a half gives every example the same score"
    assert np.isnan(row.half_mean)


def test_a_metric_that_a_half_cannot_score_is_left_out_with_a_word():
    def score_of(seeds):
        if 0 in seeds:
            raise UnseenError("3 of 9 examples were trained on by none")
        return np.arange(9.0)

    found = table({"aum_training": score_of, "el2n": ensemble(6, 1)}, 6, 5, 0).set_index("metric")
    assert np.isnan(found.loc["aum_training", "half_mean"])
    assert found.loc["aum_training", "note"] == "halves are too small (3 of 9 examples were trained on by none)"
    assert found.loc["el2n", "half_mean"] > 0
