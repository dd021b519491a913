"""Intervals, summaries and correlations against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from pipeline_lib.analyse.correlation import correlate
from pipeline_lib.analyse.statistics import mean_interval, share_interval


def test_the_interval_is_students():
    values = np.array([0.9, 0.92, 0.97])
    expected = stats.t.interval(0.95, 2, loc=values.mean(), scale=stats.sem(values))
    assert mean_interval(values) == pytest.approx((values.mean(), *expected))


def test_the_interval_by_hand():
    # mean 2, standard error 1 / sqrt(3), t(2, .975) = 4.3027
    assert mean_interval(np.array([1, 2, 3])) == pytest.approx((2, 2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)


def test_a_single_run_has_no_interval():
    mean, low, high = mean_interval(np.array([0.5]))
    assert mean == 0.5
    assert np.isnan([low, high]).all()


def test_runs_that_agree_have_no_interval_that_would_decide_everything():
    mean, low, high = mean_interval(np.array([0.1 + 0.2, 0.3, 0.3]))
    assert mean == pytest.approx(0.3)
    assert np.isnan([low, high]).all()


def test_an_interval_of_accuracies_stays_within_0_and_1():
    mean, low, high = share_interval(np.array([0.97, 0.99, 1.0]))
    assert high == 1
    assert low == pytest.approx(mean_interval(np.array([0.97, 0.99, 1.0]))[1])
    assert np.isnan(share_interval(np.array([0.5]))[1:]).all()


@pytest.mark.parametrize(("method", "reference"), [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)])
def test_correlations_are_scipys(method, reference):
    rng = np.random.default_rng(0)
    a = rng.normal(size=100)
    scores = {"a": a, "b": a + rng.normal(size=100), "tied": rng.integers(0, 3, 100).astype(float)}
    table = correlate(scores, method)
    assert list(table.columns) == list(table.index) == ["a", "b", "tied"]
    for left in scores:
        for right in scores:
            assert table.loc[left, right] == pytest.approx(reference(scores[left], scores[right])[0])


def test_a_constant_metric_has_no_correlation():
    table = correlate({"a": np.arange(4.0), "constant": np.ones(4)}, "pearson")
    assert np.isnan(table.loc["a", "constant"])
