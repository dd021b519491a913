"""Detection of wrong labels against scikit-learn and by hand; ties are fair."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline_lib.analyse import noise
from pipeline_lib.analyse.noise import COLUMNS, MEASURES, detect
from pipeline_lib.errors import PipelineError


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(noise, "RESAMPLES", 40)


def data(examples=300, seed=0):
    rng = np.random.default_rng(seed)
    wrong = rng.random(examples) < 0.2
    return rng.normal(size=examples) + 1.5 * wrong, wrong


@pytest.mark.parametrize("levels", [None, 1, 0])  # digits kept: all scores different, few different, very few
def test_auroc_and_average_precision_are_scikit_learns(levels):
    score, wrong = data()
    score = score if levels is None else score.round(levels)
    row = detect({"m": score}, wrong, 0).iloc[0]
    assert row["auroc"] == pytest.approx(roc_auc_score(wrong, score))
    assert row["average_precision"] == pytest.approx(average_precision_score(wrong, score))


def test_resamples_are_measured_like_data_with_repeated_examples():
    score, wrong = data()
    score = score.round(1)
    draws = np.bincount(np.random.default_rng(1).integers(0, 300, 300), minlength=300)
    auroc, average_precision, *_ = noise._measures(noise._Ranking.of(score, wrong), draws)
    repeated_score, repeated_wrong = np.repeat(score, draws), np.repeat(wrong, draws)
    assert auroc == pytest.approx(roc_auc_score(repeated_wrong, repeated_score))
    assert average_precision == pytest.approx(average_precision_score(repeated_wrong, repeated_score))


def test_every_resample_has_as_many_wrong_labels_as_the_data():
    # a perfect detector: of the hardest 10% exactly 5 of 10 are wrong, in every resample (drawn from all it would be 1 to 9)
    wrong = np.arange(100) < 5
    row = detect({"perfect": wrong * 1.0}, wrong, 0).iloc[0]
    assert row["precision_at_10_low"] == row["precision_at_10"] == row["precision_at_10_high"] == pytest.approx(0.5)


def test_what_a_metric_is_behind_the_best_is_paired():
    score, wrong = data()
    nearly = score + 0.05 * np.random.default_rng(2).normal(size=300)
    table = detect({"worst": -score, "best": score, "nearly": nearly}, wrong, 0).set_index("metric")
    assert table["auroc"].idxmax() == "best"
    behind = table[["behind_best", "behind_best_low", "behind_best_high"]]
    assert behind.loc["best"].tolist() == [0, 0, 0]
    assert behind["behind_best"].tolist() == pytest.approx((table["auroc"].max() - table["auroc"]).tolist())
    # what a resample does to both cancels
    assert behind.loc["nearly"].max() < 0.2 * (table.loc["best", "auroc_high"] - table.loc["best", "auroc_low"])


def test_by_hand():
    # hardest first: wrong, right, wrong, 97 right
    score, wrong = np.arange(100.0)[::-1], np.zeros(100, dtype=bool)
    wrong[[0, 2]] = True
    row = detect({"m": score}, wrong, 0).iloc[0]
    assert row["precision_at_1"] == 1
    assert row["precision_at_5"] == pytest.approx(2 / 5)
    assert row["precision_at_10"] == pytest.approx(2 / 10)
    assert row["missed"] == pytest.approx(1 / 2)  # one of two is among the two hardest
    assert row["average_precision"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert row["auroc"] == pytest.approx(1 - 1 / (2 * 98))
    assert (row["examples"], row["wrong"]) == (100, 2)


def test_ties_count_as_in_a_random_order():
    # 10 examples in the hardest block, 4 of them wrong: of its first 5, 2 are expected to be
    score, wrong = np.repeat([1.0, 0.0], [10, 90]), np.zeros(100, dtype=bool)
    wrong[[0, 1, 2, 3, 50]] = True
    row = detect({"m": score}, wrong, 0).iloc[0]
    assert row["precision_at_1"] == row["precision_at_5"] == row["precision_at_10"] == pytest.approx(0.4)
    assert row["missed"] == pytest.approx(1 - 2 / 5)


def test_a_constant_score_is_chance():
    _, wrong = data()
    row = detect({"m": np.zeros(300)}, wrong, 0).iloc[0]
    assert row["auroc"] == pytest.approx(0.5)
    for measure in ("average_precision", "precision_at_1", "precision_at_5", "precision_at_10"):
        assert row[measure] == pytest.approx(wrong.mean())
    assert row["missed"] == pytest.approx(1 - wrong.mean())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=3, max_size=40), st.randoms())
def test_storage_order_does_not_matter(examples, random):
    if len({wrong for _, wrong in examples}) < 2:
        return
    shuffled = random.sample(examples, len(examples))
    one, two = (
        noise._measures(noise._Ranking.of(score.astype(float), wrong.astype(bool)), np.ones(len(score), dtype=int))
        for score, wrong in (np.array(order).T for order in (examples, shuffled))
    )
    assert one == pytest.approx(two)


def test_a_detector_that_is_always_right_and_one_that_is_always_wrong():
    _, wrong = data()
    table = detect({"right": wrong * 1.0, "wrong": -1.0 * wrong}, wrong, 0).set_index("metric")
    assert table.loc["right", ["auroc", "average_precision", "precision_at_10"]].tolist() == [1, 1, 1]
    assert table.loc["right", "missed"] == 0
    assert table.loc["wrong", ["auroc", "precision_at_10"]].tolist() == [0, 0]
    assert table.loc["wrong", "missed"] == 1


def test_intervals_hold_the_value_and_shrink_with_the_data():
    small, large = (detect({"m": data(n)[0]}, data(n)[1], 0) for n in (200, 20_000))
    assert list(small.columns) == list(COLUMNS)
    for measure in MEASURES:
        widths = []
        for table in (small, large):
            value, low, high = (table[f"{measure}{end}"].item() for end in ("", "_low", "_high"))
            assert low <= value <= high
            widths.append(high - low)
        assert widths[1] < widths[0]


def test_the_same_study_gives_the_same_intervals_and_all_metrics_the_same_resamples():
    score, wrong = data()
    table = detect({"one": score, "two": score}, wrong, 7)
    assert table.iloc[0, 1:].tolist() == table.iloc[1, 1:].tolist()
    assert detect({"one": score}, wrong, 7).iloc[0].tolist() == table.iloc[0].tolist()
    assert detect({"one": score}, wrong, 8)["auroc_low"].item() != table["auroc_low"][0]


@pytest.mark.parametrize(("wrong", "words"), [(np.zeros(5, bool), "0 of 5"), (np.ones(5, bool), "5 of 5")])
def test_without_two_kinds_there_is_nothing_to_tell_apart(wrong, words):
    with pytest.raises(PipelineError, match=f"{words} labels are wrong"):
        detect({"m": np.arange(5.0)}, wrong, 0)
