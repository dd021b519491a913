"""Paired differences, bootstrap intervals and intervals of correlations against scipy and by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline_lib.analyse import correlation
from pipeline_lib.analyse.correlation import between_ensembles, intervals
from pipeline_lib.analyse.statistics import bootstrap_interval, paired_difference, simultaneous_differences, values_at
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
    low, high = bootstrap_interval(
        lambda draws: (draws * values).sum() / draws.sum(), np.zeros(400), 4000, np.random.default_rng(1)
    )
    reference = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(2))
    width = reference.confidence_interval.high - reference.confidence_interval.low
    assert low == pytest.approx(reference.confidence_interval.low, abs=0.05 * width)
    assert high == pytest.approx(reference.confidence_interval.high, abs=0.05 * width)


def test_a_resample_is_as_large_as_the_data_and_the_same_for_all_numbers():
    def statistic(draws):
        assert draws.sum() == len(draws) == 10
        return np.array([draws[0], draws[0] + 1])

    low, high = bootstrap_interval(statistic, np.zeros(10), 50, np.random.default_rng(0))
    assert low[1] - low[0] == high[1] - high[0] == 1
    again = bootstrap_interval(statistic, np.zeros(10), 50, np.random.default_rng(0))
    assert np.array_equal((low, high), again)


def test_resamples_that_say_nothing_are_left_out():
    low, high = bootstrap_interval(lambda draws: 3.0 if draws[0] else np.nan, np.zeros(5), 100, np.random.default_rng(0))
    assert (low, high) == (3, 3)


def scores(examples=200):
    rng = np.random.default_rng(0)
    a = rng.normal(size=examples)
    return {"a": a, "b": a + rng.normal(size=examples), "c": -a + rng.normal(size=examples)}


@pytest.mark.parametrize(("method", "reference"), [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)])
def test_intervals_of_correlations_are_scipys_bootstrap(method, reference):
    given = scores()
    given["tied"] = given["a"].round()
    table = intervals(given, method, 0)
    pairs = list(zip(table["metric_a"], table["metric_b"], strict=True))
    assert pairs == [("a", "b"), ("a", "c"), ("a", "tied"), ("b", "c"), ("b", "tied"), ("c", "tied")]
    row = table.set_index(["metric_a", "metric_b"]).loc[("b", "tied")]
    assert row["correlation"] == pytest.approx(reference(given["b"], given["tied"]).statistic)
    expected = stats.bootstrap(
        (given["b"], given["tied"]),
        lambda b, tied: reference(b, tied).statistic,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=1000,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), abs=0.15 * (expected.high - expected.low))


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_intervals_of_correlations_cover_on_skewed_and_tied_scores(monkeypatch, method):
    # Fisher's z covers Pearson's correlation of these in 81% of the cases
    monkeypatch.setattr(correlation, "RESAMPLES", 150)
    rng, repeats = np.random.default_rng(0), 300

    def draw(examples):
        common, *own = rng.normal(size=(3, examples))
        a, b = (0.8 * common + 0.6 * noise for noise in own)
        return {"a": np.maximum(0, np.floor(2 * a)), "b": np.floor(np.exp(b))}

    true = correlation.correlate(draw(500_000), method).loc["a", "b"]
    found = [intervals(draw(200), method, seed).iloc[0] for seed in range(repeats)]
    assert np.mean([row["low"] <= true <= row["high"] for row in found]) > 0.9


def test_correlations_without_an_interval():
    ten = np.arange(10.0)
    perfect = intervals({"a": ten, "b": 2 * ten}, "pearson", 0).iloc[0]
    assert (perfect["low"], perfect["high"]) == pytest.approx((1, 1))
    constant = intervals({"a": ten, "b": np.ones(10), "c": -ten}, "pearson", 0).set_index(["metric_a", "metric_b"])
    assert constant.loc[("a", "b")].isna().all()
    assert constant.loc[("a", "c")].tolist() == pytest.approx([-1, -1, -1])
    few = intervals({"a": np.arange(3.0), "b": np.array([0, 2, 1.0])}, "spearman", 0).iloc[0]
    assert few["correlation"] == pytest.approx(0.5)
    assert np.isnan([few["low"], few["high"]]).all()
    assert intervals({"alone": ten}, "pearson", 0).empty


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_a_resample_without_the_rare_scores_says_nothing(method):
    # one example differs: a third of the resamples are constant, at a value whose mean is not exact
    rare = np.where(np.arange(20) == 0, 1.0, 0.1)
    row = intervals({"rare": rare, "same": 3 * rare}, method, 0).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((1, 1))


def test_groups_keep_their_size():
    groups = np.array(["wrong"] * 3 + ["right"] * 7)

    def statistic(draws):
        assert (draws[:3].sum(), draws[3:].sum()) == (3, 7)
        return draws[0]

    low, high = bootstrap_interval(statistic, groups, 50, np.random.default_rng(0))
    assert low < high


def test_differences_of_several_metrics_share_their_standard_deviation():
    # differences (.01, .03) and (.00, .00, .06): means .02 and .02, squares 2 x .01^2 + (.02^2 + .02^2 + .04^2), 1 + 2 degrees
    zero = pd.Series([0.0, 0.0, 0.0])
    found = simultaneous_differences({"a": (pd.Series([0.01, 0.03]), zero), "b": (pd.Series([0.0, 0.0, 0.06]), zero)})
    deviation = np.sqrt((2 * 0.01**2 + 2 * 0.02**2 + 0.04**2) / 3)
    half = stats.t.ppf(1 - 0.05 / 2 / 2, 3) * deviation  # two metrics: 97.5%
    assert found["difference"].tolist() == pytest.approx([0.02, 0.02])
    assert found["low"].tolist() == pytest.approx([0.02 - half / np.sqrt(2), 0.02 - half / np.sqrt(3)])
    assert found["high"].tolist() == pytest.approx([0.02 + half / np.sqrt(2), 0.02 + half / np.sqrt(3)])
    assert found["runs"].tolist() == [2, 3]


def test_a_metric_alone_has_its_own_interval():
    a, b = pd.Series([0.9, 0.8, 0.7]), pd.Series([0.88, 0.78, 0.69])
    [found] = simultaneous_differences({"a": (a, b)}).itertuples(index=False)
    assert tuple(found) == pytest.approx(paired_difference(a, b))


def test_without_two_runs_of_a_metric_there_are_no_intervals():
    single = {"a": (pd.Series([0.5]), pd.Series([0.4])), "b": (pd.Series([0.5]), pd.Series([0.4], index=[1]))}
    found = simultaneous_differences(single)
    assert found.loc["a", "difference"] == pytest.approx(0.1)
    assert found.loc["b", "runs"] == 0
    assert found[["low", "high"]].isna().all(axis=None)


def test_what_a_seed_does_to_all_metrics_counts_once():
    # the two metrics move together: as one, with 2 degrees of freedom for 3 seeds instead of 4
    zero, moved = pd.Series([0.0, 0.0, 0.0]), pd.Series([0.01, 0.0, -0.01])
    found = simultaneous_differences({"a": (moved + 0.02, zero), "b": (moved + 0.03, zero)})
    half = stats.t.ppf(1 - 0.05 / 2 / 2, 2) * 0.01 / np.sqrt(3)
    assert (found["high"] - found["difference"]).tolist() == pytest.approx([half, half])
    # seed and metric each explain a part: mean squares 5e-5 of the seeds, 5e-5 / 3 of the rest, so r = 1 / 2
    found = simultaneous_differences({"a": (moved, zero), "b": (pd.Series([0.01, -0.01, 0.0]), zero)})
    half = stats.t.ppf(1 - 0.05 / 2 / 2, 4 / (1 + 0.5**2)) * 0.01 / np.sqrt(3)
    assert found["high"].tolist() == pytest.approx([half, half])


def test_metrics_without_common_seeds_are_supposed_to_move_together():
    zero = pd.Series(np.zeros(6))
    pairs = {"a": (pd.Series([0.0, 0.02, 0.01], [0, 1, 2]), zero), "b": (pd.Series([0.0, 0.02, 0.01], [3, 4, 5]), zero)}
    half = stats.t.ppf(1 - 0.05 / 2 / 2, 2) * 0.01 / np.sqrt(3)
    found = simultaneous_differences(pairs)
    assert (found["high"] - found["difference"]).tolist() == pytest.approx([half, half])


@pytest.mark.parametrize("baseline", [0.0, 1.0, 3.0])  # what all metrics of a seed have in common
def test_all_differences_are_covered_at_once(baseline):
    rng, repeats, covered, covered_largest = np.random.default_rng(0), 400, 0, 0
    for _ in range(repeats):
        common = pd.Series(baseline * rng.normal(size=3))
        pairs = {metric: (pd.Series(rng.normal(size=3)), common) for metric in "abcdef"}  # all alike: the largest is 0
        found = simultaneous_differences(pairs)
        covered += ((found["low"] <= 0) & (found["high"] >= 0)).all()
        covered_largest += found["low"].max() <= 0 <= found["high"].max()
    assert covered / repeats >= 0.93
    assert covered_largest / repeats >= 0.95


def test_the_correlation_between_two_ensembles_is_foretold_from_the_halves_of_one():
    rng = np.random.default_rng(0)
    early, late = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=20_000).T  # what the examples have

    def ensemble():
        """Ten seeds: what a seed errs early it errs in the end too."""
        errors = rng.normal(size=(2, 10, len(early)))
        return early + 1.5 * errors[0], late + errors[0] + errors[1]

    (ones, others), (_, strangers) = ensemble(), ensemble()
    halves = [(slice(0, 5), slice(5, 10))]
    scores = [[(values[a].mean(axis=0), values[b].mean(axis=0)) for a, b in halves] for values in (ones, others)]
    estimate, low, high = between_ensembles(*scores, 2, 0)
    truth = stats.pearsonr(ones.mean(axis=0), strangers.mean(axis=0))[0]
    within = stats.pearsonr(ones.mean(axis=0), others.mean(axis=0))[0]
    assert estimate == pytest.approx(truth, abs=0.015)
    assert low < estimate < high
    assert within > estimate + 0.05, "within one ensemble they share its errors"
    assert stats.pearsonr(scores[0][0][0], scores[1][0][1])[0] < estimate - 0.02, "halves alone agree less"


def test_scores_that_say_nothing_have_no_interval():
    rising, same = np.arange(20.0), np.ones(20)
    assert np.isnan(between_ensembles([(rising, same)], [(rising, rising)], 2, 0)).all()
    few = [(rising[:5], rising[:5])]
    estimate, low, high = between_ensembles(few, few, 2, 0)
    assert estimate == pytest.approx(1)
    assert np.isnan([low, high]).all()
