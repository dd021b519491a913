"""Paired differences, bootstrap intervals and intervals of correlations against scipy and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline_lib.analyse.correlation import intervals
from pipeline_lib.analyse.statistics import bootstrap_interval, paired_difference, values_at
from tests.unit.sweep_tables import sweep


def test_a_difference_is_paired_by_seed_whatever_the_order_of_the_rows():
    a, b = pd.Series([0.9, 0.8, 0.7], index=[0, 1, 2]), pd.Series([0.69, 0.88, 0.78], index=[2, 0, 1])
    mean, low, high, runs = paired_difference(a, b)
    expected = stats.ttest_rel([0.9, 0.8, 0.7], [0.88, 0.78, 0.69]).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((0.05 / 3, expected.low, expected.high))
    assert runs == 3


def test_what_a_seed_does_to_both_cancels():
    of_seed = np.array([0, 0.1, 0.2, 0.3])
    gain = np.array([0.010, 0.011, 0.009, 0.010])
    _, low, high, _ = paired_difference(pd.Series(0.5 + of_seed + gain), pd.Series(0.5 + of_seed))
    assert high - low < 0.003


def test_only_common_seeds_count():
    a, b = pd.Series([1.0, 2.0, 9.0], index=[0, 1, 7]), pd.Series([0.0, 0.0, 5.0], index=[0, 1, 3])
    mean, _, _, runs = paired_difference(a, b)
    assert (mean, runs) == (1.5, 2)


def test_without_a_common_seed_nothing_is_said_and_with_one_no_interval():
    a = pd.Series([0.5], index=[0])
    assert np.isnan(paired_difference(a, pd.Series([0.5], index=[1]))[:3]).all()
    assert paired_difference(a, a[:0])[3] == 0
    mean, low, high, runs = paired_difference(a, pd.Series([0.25], index=[0]))
    assert (mean, runs) == (0.25, 1)
    assert np.isnan([low, high]).all()


def test_more_comparisons_ask_for_wider_intervals():
    a, b = pd.Series([0.9, 0.8, 0.7]), pd.Series([0.88, 0.78, 0.69])
    assert paired_difference(a, b, 0.99)[1:3] == pytest.approx(
        stats.t.interval(0.99, 2, loc=0.05 / 3, scale=stats.sem([0.02, 0.02, 0.01]))
    )


def test_values_at_a_point_are_of_one_variant_and_by_seed():
    runs = pd.concat([sweep({0.3: [0.5, 0.6], 0.4: [0.1, 0.1]}), sweep({0.3: [0.7, 0.8]}, balanced=True)])
    assert values_at(runs, 0.1 * 3).to_dict() == {0: 0.5, 1: 0.6}  # 0.30000000000000004 is .3
    assert values_at(runs, 0.3, balanced=True).tolist() == [0.7, 0.8]
    assert values_at(runs, 0.3, value="kept").tolist() == [700, 700]
    assert values_at(runs, 0.5).empty
    assert values_at(runs, None).empty


def test_the_bootstrap_is_scipys():
    values = np.random.default_rng(0).exponential(size=400)
    low, high = bootstrap_interval(lambda draws: (draws * values).sum() / draws.sum(), 400, 4000, np.random.default_rng(1))
    reference = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(2))
    width = reference.confidence_interval.high - reference.confidence_interval.low
    assert low == pytest.approx(reference.confidence_interval.low, abs=0.05 * width)
    assert high == pytest.approx(reference.confidence_interval.high, abs=0.05 * width)


def test_a_resample_is_as_large_as_the_data_and_the_same_for_all_numbers():
    def statistic(draws):
        assert draws.sum() == len(draws) == 10
        return np.array([draws[0], draws[0] + 1])

    low, high = bootstrap_interval(statistic, 10, 50, np.random.default_rng(0))
    assert low[1] - low[0] == high[1] - high[0] == 1
    again = bootstrap_interval(statistic, 10, 50, np.random.default_rng(0))
    assert np.array_equal((low, high), again)


def test_resamples_that_say_nothing_are_left_out():
    low, high = bootstrap_interval(lambda draws: 3.0 if draws[0] else np.nan, 5, 100, np.random.default_rng(0))
    assert (low, high) == (3, 3)


def scores(examples=200):
    rng = np.random.default_rng(0)
    a = rng.normal(size=examples)
    return {"a": a, "b": a + rng.normal(size=examples), "c": -a + rng.normal(size=examples)}


def test_pearson_intervals_are_scipys():
    given = scores()
    table = intervals(given, "pearson")
    assert list(zip(table["metric_a"], table["metric_b"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    for row in table.itertuples():
        reference = stats.pearsonr(given[row.metric_a], given[row.metric_b])
        assert row.correlation == pytest.approx(reference.statistic)
        assert (row.low, row.high) == pytest.approx(tuple(reference.confidence_interval()))


def test_spearman_intervals_by_hand():
    # every rank is off by 1, so the sum of d^2 is 10; z = atanh(r), half = 1.96 sqrt((1 + r^2 / 2) / 7)
    left = np.arange(10.0)
    right = np.array([1, 0, 3, 2, 5, 4, 7, 6, 9, 8.0])
    r = 1 - 6 * 10 / 990
    half = 1.959964 * np.sqrt((1 + r**2 / 2) / 7)
    [row] = intervals({"left": left, "right": right}, "spearman").itertuples()
    assert row.correlation == pytest.approx(r)
    assert (row.low, row.high) == pytest.approx((np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)), abs=1e-6)


def test_spearman_intervals_cover_as_often_as_they_say():
    rng, held, repeats = np.random.default_rng(0), 0, 1000
    true = 6 / np.pi * np.arcsin(0.7 / 2)  # Spearman's correlation of a bivariate normal with Pearson's .7
    for _ in range(repeats):
        a, noise = rng.normal(size=(2, 60))
        [row] = intervals({"a": a, "b": 0.7 * a + np.sqrt(1 - 0.7**2) * noise}, "spearman").itertuples()
        held += row.low <= true <= row.high
    assert held / repeats == pytest.approx(0.95, abs=0.02)


def test_correlations_without_an_interval():
    perfect = intervals({"a": np.arange(5.0), "b": 2 * np.arange(5.0)}, "pearson").iloc[0]
    assert (perfect["low"], perfect["high"]) == pytest.approx((1, 1))
    constant = intervals({"a": np.arange(5.0), "b": np.ones(5)}, "pearson").iloc[0]
    assert np.isnan([constant["correlation"], constant["low"], constant["high"]]).all()
    few = intervals({"a": np.arange(3.0), "b": np.array([0, 2, 1.0])}, "spearman").iloc[0]
    assert few["correlation"] == pytest.approx(0.5)
    assert np.isnan([few["low"], few["high"]]).all()
    assert intervals({"alone": np.arange(5.0)}, "pearson").empty
