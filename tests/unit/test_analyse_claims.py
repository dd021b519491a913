"""The claims of the thesis: each verdict on tables made to deserve it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pipeline_lib.analyse.claims import CLAIMS, COLUMNS, THESIS_METRICS, judge
from pipeline_lib.analyse.evidence import best_of
from tests.unit.sweep_tables import classes, full, sweep

OF_SEED = np.linspace(-0.02, 0.02, 5)  # what a seed does to all of its runs; pairing takes it out
JITTER = np.array([0.001, -0.001, 0.0005, -0.0005, 0.0])


def runs(curve):
    """Make a sweep from the true accuracy at each point; different points and accuracies scatter in different ways."""
    jitter = {point: np.random.default_rng(round(1e5 * accuracy + point)).permutation(JITTER) for point, accuracy in curve.items()}
    return sweep({point: accuracy + OF_SEED + jitter[point] for point, accuracy in curve.items()})


def pruned(gain):
    """Make prune_easiest or prune_hardest: random, and metrics that gain over it by a function of the share."""
    shares = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9]
    random = {share: 0.9 - 0.1 * share for share in shares}
    sweeps = {"random": runs(random), "full": full(*(0.9 + OF_SEED))}
    for place, metric in enumerate(THESIS_METRICS):
        sweeps[metric] = runs({share: accuracy + gain(share) - 0.002 * place for share, accuracy in random.items()})
    return sweeps


def windows(curve):
    return {metric: runs(curve) for metric in THESIS_METRICS} | {"random": full(*(0.8 + OF_SEED))}


def verdict(claim, **tables):
    return row(claim, **tables)["verdict"]


def row(claim, **tables):
    return judge(tables).set_index("claim").loc[claim]


RISING = pruned(lambda share: 0.05 * share)  # always better than random
FALLING = pruned(lambda share: -0.2 * share)
THE_THESIS = pruned(lambda share: 0.1 * share if share <= 0.5 else -0.1)
EQUAL = pruned(lambda share: 0.005)


def test_without_tables_every_claim_is_there_and_not_tested_with_a_reason():
    table = judge({})
    assert tuple(table.columns) == COLUMNS
    assert len(table) == len(CLAIMS) == 11
    assert (table["verdict"] == "not tested").all()
    assert table["computed"].str.len().min() > 10
    assert table[["difference", "low", "high", "runs"]].isna().all(axis=None)


@pytest.mark.parametrize("claim", ["half is enough", "a fifth is free"])
def test_pruning_the_easiest_is_almost_free_and_beats_random(claim):
    assert verdict(claim, prune_easiest=THE_THESIS) == "supported"
    assert verdict(claim, prune_easiest=FALLING) == "contradicted"


def test_a_loss_beyond_a_point_contradicts_even_what_beats_random():
    gains = pruned(lambda share: 0.02)  # at half: 2 points above random, 3 below all data
    found = row("half is enough", prune_easiest=gains)
    assert found["verdict"] == "contradicted"
    assert found["difference"] == pytest.approx(-0.03, abs=0.001)
    assert found["high"] < -0.01
    assert "el2n (best of 6) less all data, 50% pruned: -3.0" in found["computed"]
    assert "el2n (best of 6) less random, 50% pruned: +2.0" in found["computed"]


def test_the_best_of_several_metrics_has_a_simultaneous_interval():
    found = row("half is enough", prune_easiest={name: RISING[name] for name in ("el2n", "std", "random", "full")})
    full_runs = RISING["full"]["accuracy"].to_numpy()
    el2n, std = (RISING[metric].query("point == 0.5")["accuracy"].to_numpy() - full_runs for metric in ("el2n", "std"))
    pooled = np.sqrt((el2n.var(ddof=1) + std.var(ddof=1)) / 2)
    together = np.corrcoef(el2n, std)[0, 1] * el2n.std() * std.std() * 2 / (el2n.var() + std.var())
    half = stats.t.ppf(1 - 0.05 / 2 / 2, 8 / (1 + together**2)) * pooled / np.sqrt(5)
    assert (found["low"], found["high"]) == pytest.approx((el2n.mean() - half, el2n.mean() + half))
    assert found["runs"] == 5


def test_one_metric_must_meet_both_parts():
    # at half: el2n loses nothing but is below random at a third; std the other way round
    sweeps = {
        "random": runs({0.2: 0.85, 0.3: 0.85}),
        "full": full(*(0.9 + OF_SEED)),
        "el2n": runs({0.2: 0.9, 0.3: 0.8}),
        "std": runs({0.2: 0.8, 0.3: 0.9}),
    }
    assert verdict("a fifth is free", prune_easiest=sweeps) == "contradicted"
    found = row("a fifth is free", prune_easiest=sweeps | {"flip": runs({0.2: 0.9, 0.3: 0.87})})
    assert found["verdict"] == "supported"
    assert found["computed"].count("flip (best of 3)") == 2


def test_three_seeds_are_enough_to_decide():
    three = {name: table[table["seed"] < 3] for name, table in THE_THESIS.items()}
    assert verdict("half is enough", prune_easiest=three) == "supported"


def test_among_many_metrics_that_are_random_few_are_found_better():
    rng, repeats = np.random.default_rng(0), 400
    found = 0
    for _ in range(repeats):
        random, *metrics = (pd.Series(values) for values in rng.normal(size=(9, 5)))
        [part] = best_of({"less random": ({str(place): (metric, random) for place, metric in enumerate(metrics)}, 0.0)})
        found += part.verdict == "supported"
    assert found / repeats < 0.04  # 2.5% at most; without the correction it is 12%


def test_pruning_too_much_of_the_easy():
    assert verdict("not too much", prune_easiest=THE_THESIS) == "supported"
    assert verdict("not too much", prune_easiest=RISING) == "contradicted"
    assert verdict("not too much", prune_easiest=EQUAL) == "undecided"
    few = {name: table[~(table["point"] > 0.5)] for name, table in RISING.items()}
    assert row("not too much", prune_easiest=few)["computed"].startswith("no pruned share of 0.6, 0.7 was swept")


def test_too_much_is_what_the_thesis_left_out_and_not_the_extension():
    assert "70% of the easiest" in row("not too much", prune_easiest=THE_THESIS)["computed"]  # .9 was swept too
    both = {name: pd.concat([table, runs({0.6: 0.5})]) for name, table in RISING.items()}
    assert "60% and 70% of the easiest" in row("not too much", prune_easiest=both)["computed"]


def without_a_class(sweeps, *shares, metric="flip"):
    """At these shares one metric leaves a class without an example; another class was never there."""
    found = {name: classes(table, cat=9, dog=9, unicorn=0) for name, table in sweeps.items()}
    found[metric].loc[found[metric]["point"].isin(shares), "kept_dog"] = 0
    return found


def test_shares_at_which_a_class_is_gone_do_not_count():
    assert "70% of the hardest" in row("hard ones are needed", prune_hardest=without_a_class(FALLING, 0.9))["computed"]
    assert "50% of the hardest" in row("hard ones are needed", prune_hardest=without_a_class(FALLING, 0.7, 0.9))["computed"]
    gone = row("hard ones are needed", prune_hardest=without_a_class(FALLING, 0.5, 0.7, 0.9))
    assert "no pruned share from 0.5 was swept with examples of every class left" in gone["computed"]
    half = row("half is enough", prune_easiest=without_a_class(THE_THESIS, 0.5, metric="el2n"))
    assert half["verdict"] == "supported"
    assert "std (best of 5)" in half["computed"], "el2n, the best of six, does not count"
    everywhere = row("half is enough", prune_easiest=without_a_class(THE_THESIS, 0.5, metric="random"))
    assert everywhere["computed"].endswith("a class has no example left at 0.5")
    km = row("no labels needed", prune_easiest=without_a_class(THE_THESIS, 0.7, metric="km"))
    assert "mean over 4 pruned shares" in km["computed"], "of five"
    last = windows({0: 0.7, 0.5: 0.9, 0.6: 0.8}) | {"full": full(*(0.8 + OF_SEED))}
    assert verdict("harder is better", sliding_window=without_a_class(last)) == "supported"
    gone = row("harder is better", sliding_window=without_a_class(last, 0.6, metric="el2n"))
    assert gone["computed"] == "no window after 0.5 was swept with examples of every class left"
    random = without_a_class(FALLING, 0.9, metric="random")
    assert "70% of the hardest" in row("hard ones are needed", prune_hardest=random)["computed"]
    assert verdict("not too much", prune_easiest=without_a_class(THE_THESIS, 0.7)) == "not tested"
    little = "little: easy, much: hard"
    assert "easy kept less hard kept, 90% pruned" in row(little, prune_easiest=RISING, prune_hardest=FALLING)["computed"]
    narrower = row(little, prune_easiest=RISING, prune_hardest=without_a_class(FALLING, 0.9))
    assert "easy kept less hard kept, 70% pruned" in narrower["computed"]


def test_harder_windows_are_better_but_for_the_hardest():
    claim = "harder is better"
    assert verdict(claim, sliding_window=windows({0: 0.7, 0.5: 0.9, 0.6: 0.8})) == "supported"
    assert verdict(claim, sliding_window=windows({0: 0.9, 0.5: 0.7, 0.6: 0.6})) == "contradicted"
    still_rising = row(claim, sliding_window=windows({0: 0.7, 0.5: 0.8, 0.6: 0.9}))
    assert still_rising["verdict"] == "contradicted"
    assert still_rising["difference"] == pytest.approx(-0.1, abs=0.001)
    assert verdict(claim, sliding_window=windows({0: 0.7, 0.5: 0.8})) == "not tested"


def test_easy_if_little_hard_if_much():
    claim = "little: easy, much: hard"
    hard_first = pruned(lambda share: 0.02 if share < 0.5 else -0.05)
    easy_first = pruned(lambda share: -0.02 if share < 0.5 else 0.05)
    assert verdict(claim, prune_easiest=hard_first, prune_hardest=easy_first) == "supported"
    assert verdict(claim, prune_easiest=easy_first, prune_hardest=hard_first) == "contradicted"
    # hard examples better at both ends: one half of the claim holds, the other does not
    assert verdict(claim, prune_easiest=RISING, prune_hardest=FALLING) == "contradicted"
    assert "prune_hardest" in row(claim, prune_easiest=RISING)["computed"]


def test_hard_examples_are_needed_if_losing_them_costs_30_points_and_more_than_random():
    claim = "hard ones are needed"
    severe = pruned(lambda share: -0.4 * share)  # at .9: 9 points of random, 36 of the metrics
    found = row(claim, prune_hardest=severe)
    assert found["verdict"] == "supported"
    assert "all data less the mean of 6 metrics, 90% of the hardest pruned: +45.5" in found["computed"]
    assert "claimed above +30.0" in found["computed"]
    worse_than_random = row(claim, prune_hardest=FALLING)  # 27 points below all data
    assert worse_than_random["verdict"] == "contradicted"
    assert worse_than_random["difference"] == pytest.approx(0.275, abs=0.001)
    assert verdict(claim, prune_hardest=RISING) == "contradicted"


def detection(el2n, pred_sum, apart=0.01, others=0.0):
    """Make a table of detectors; apart: half the width of the paired intervals; others: the AUROC of a third."""
    aurocs = {"el2n": el2n, "pred_sum": pred_sum, "aum": others}
    rows = []
    for name, value in aurocs.items():
        behind = max(aurocs.values()) - value
        reach = apart if behind else 0.0
        rows.append((name, value, value - 0.02, value + 0.02, behind, behind - reach, behind + reach))
    ends = [f"{measure}{end}" for measure in ("auroc", "behind_best") for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["metric", *ends])


def test_noise_is_found_and_better_by_el2n():
    claim = "noise is found"
    assert verdict(claim, noise_detection=detection(0.95, 0.85)) == "supported"
    assert verdict(claim, noise_detection=detection(0.95, 0.93)) == "supported"  # their own intervals overlap, the paired one
    assert verdict(claim, noise_detection=detection(0.95, 0.945)) == "undecided"
    assert verdict(claim, noise_detection=detection(0.85, 0.95)) == "contradicted"
    assert verdict(claim, noise_detection=detection(0.6, 0.4)) == "contradicted"
    # a third detector is best: from one end of the one interval to the other end of the other
    assert verdict(claim, noise_detection=detection(0.95, 0.935, others=0.99)) == "undecided"
    assert verdict(claim, noise_detection=detection(0.95, 0.925, others=0.99)) == "supported"
    found = row(claim, noise_detection=detection(0.95, 0.85))
    assert found["runs"] is pd.NA  # the interval is over examples
    assert verdict(claim, noise_detection=detection(0.95, 0.85).iloc[:1]) == "not tested"


def test_noise_that_is_found_makes_the_hardest_windows_worse():
    tables = {"noise_detection": detection(0.95, 0.85)}
    falls, rises = windows({0.5: 0.9, 0.6: 0.7}), windows({0.5: 0.7, 0.6: 0.9})
    assert verdict("noise is found", **tables, noisy_sliding_window=falls) == "supported"
    assert verdict("noise is found", **tables, noisy_sliding_window=rises) == "contradicted"
    assert verdict("noise is found", **tables, noisy_sliding_window=windows({0: 0.9})) == "supported"  # without these windows


def correlations(smallest):
    rows = [("el2n", "std", 0.8, 0.79, 0.81), ("el2n", "flip", smallest, smallest - 0.01, smallest + 0.01), ("el2n", "km", 0, 0, 0)]
    return pd.DataFrame(rows, columns=["metric_a", "metric_b", "correlation", "low", "high"])


@pytest.mark.parametrize(("smallest", "expected"), [(0.65, "supported"), (0.605, "undecided"), (0.4, "contradicted")])
def test_the_weakest_correlation_of_the_four_decides(smallest, expected):
    found = row("metrics agree", correlation=correlations(smallest))
    assert found["verdict"] == expected
    assert found["difference"] == smallest


def test_km_works_without_labels_and_with_the_elbow():
    claim = "no labels needed"
    assert verdict(claim, prune_easiest=RISING) == "supported"
    assert verdict(claim, prune_easiest=FALLING) == "contradicted"
    better, same = runs({0.2: 0.95, 0.5: 0.93}), runs({0.2: 0.9, 0.5: 0.88})
    good = {"km_prototypes_elbow": same, "km_prototypes_5": runs({0.2: 0.9001, 0.5: 0.8801}), "random": same}
    bad = {"km_prototypes_elbow": same, "km_prototypes_5": better, "random": same}
    assert verdict(claim, prune_easiest=RISING, clusters=good) == "supported"
    found = row(claim, prune_easiest=RISING, clusters=bad)
    assert found["verdict"] == "contradicted"
    assert found["difference"] == pytest.approx(-0.05, abs=0.001)
    assert verdict(claim, prune_easiest=RISING, clusters={"km_prototypes_5": better}) == "supported"  # no elbow to judge
    assert (
        verdict(claim, prune_easiest=RISING, clusters={"km_prototypes_5": runs({0.1: 0.9}), "km_prototypes_elbow": same})
        == "not tested"
    )
    assert "none of km was swept" in row(claim, prune_easiest={"el2n": same, "random": same})["computed"]


def test_a_single_run_decides_nothing():
    single = {name: table[table["seed"] == 0] for name, table in RISING.items()}
    found = row("half is enough", prune_easiest=single)
    assert found["verdict"] == "undecided"
    assert "no interval" in found["computed"]


def test_other_variants_do_not_count():
    balanced = {name: table.assign(balanced=True) for name, table in RISING.items() if name != "full"}
    found = row("half is enough", prune_easiest=balanced | {"full": RISING["full"]})
    assert found["verdict"] == "not tested"
    assert "without class balancing" in found["computed"]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.7, 0.8, "supported"), (0.5, 0.7, "undecided"), (0.1, 0.2, "contradicted")]
)
def test_difficulty_is_known_early_if_an_early_score_agrees_with_the_final_one_of_others(low, high, expected):
    found = row("known early", early=((low + high) / 2, low, high))
    assert found["verdict"] == expected
    assert found["low"] == low
    assert "another ensemble" in found["computed"]
    assert verdict("known early", correlation=correlations(0.9)) == "not tested", "within one ensemble it is no evidence"


def transfer(**others):
    """A table of scores of other networks: name -> rank correlation with the own ones."""
    rows = [("forget", "digits", 1.0), ("el2n", "digits", 1.0)] + [("el2n", name, value) for name, value in others.items()]
    table = pd.DataFrame([*rows, ("random", "", np.nan)], columns=["metric", "scored_by", "agreement"])
    return table.assign(agreement_low=table["agreement"] - 0.02, agreement_high=table["agreement"] + 0.02)


def test_difficulty_carries_over_if_the_scores_of_every_other_network_agree():
    claim = "known by a tiny network"
    found = row(claim, transfer=transfer(wide=0.9, deep=0.7))
    assert found["verdict"] == "supported"
    assert found["difference"] == 0.7
    assert "other networks, smaller or not (wide, deep): +0.700" in found["computed"]
    assert verdict(claim, transfer=transfer(wide=0.9, deep=0.5)) == "contradicted"
    assert verdict(claim, transfer=transfer(wide=0.61)) == "undecided"
    assert verdict(claim, transfer=transfer()) == "not tested"
    assert "other networks" in row(claim)["computed"]


def test_km_is_judged_over_the_shares_of_the_thesis():
    # much worse than random at .9, which the thesis did not leave out
    gains = pruned(lambda share: 0.05 if share < 0.8 else -0.8)
    found = row("no labels needed", prune_easiest=gains)
    assert found["verdict"] == "supported"
    assert "mean over 5 pruned shares" in found["computed"]
