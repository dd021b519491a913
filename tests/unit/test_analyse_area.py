"""Areas under the pruning curve: the thesis's own tables, Simpson's rule by hand, pairing by seed."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.analyse.area import COLUMNS, SHARES, areas, sentence
from pipeline_lib.errors import PipelineError
from tests.unit.sweep_tables import full, sweep

METRICS = ("random", "el2n", "std", "pred_sum", "flip", "forget", "km")
CIFAR10 = """
93.87 93.88 93.70 93.63 93.54 92.81 93.78
93.33 93.43 93.55 93.74 93.63 92.96 93.52
92.00 93.52 93.27 93.54 93.65 93.01 93.26
91.48 92.64 93.44 93.13 92.63 92.20 92.79
90.95 90.90 92.41 92.01 92.53 91.56 92.37
90.47 84.01 91.16 88.51 90.84 90.95 90.63
87.90 71.07 89.18 75.83 89.28 89.04 87.62
"""
CIFAR100 = """
73.45 74.24 73.81 73.81 73.83 72.94 73.71
71.88 73.75 73.01 73.68 73.40 72.17 72.67
70.97 71.31 72.43 71.27 72.41 69.52 70.67
69.64 66.84 70.16 68.84 70.02 68.14 68.67
67.19 58.96 65.88 60.77 67.58 66.00 65.70
64.77 44.46 60.04 47.57 62.67 63.20 60.48
61.25 30.22 49.86 31.74 54.00 58.58 53.31
"""
THESIS = [
    (CIFAR10, 93.44, (0.98, 0.96, 0.991, 0.976, 0.989, 0.984, 0.987)),
    (CIFAR100, 73.97, (0.928, 0.83, 0.911, 0.849, 0.925, 0.913, 0.906)),
]


def curve(values, seeds=1):
    return {share: [value] * seeds for share, value in zip(SHARES, values, strict=True)}


@pytest.mark.parametrize(("accuracies", "all_data", "expected"), THESIS)
def test_the_areas_of_the_thesis_are_reproduced(accuracies, all_data, expected):
    columns = np.array(accuracies.split(), dtype=float).reshape(7, 7).T / 100
    sweeps = {name: sweep(curve(column)) for name, column in zip(METRICS, columns, strict=True)} | {"full": full(all_data / 100)}
    table = areas(sweeps).set_index("metric")
    # the accuracies were read off a printed figure and the areas are printed with two or three digits
    assert table["area_mean"].loc[list(METRICS)].to_numpy() == pytest.approx(np.array(expected), abs=1.1e-3)


def test_on_cifar100_the_thesis_has_no_metric_above_random():
    columns = np.array(CIFAR100.split(), dtype=float).reshape(7, 7).T / 100
    sweeps = {name: sweep(curve(column)) for name, column in zip(METRICS, columns, strict=True)} | {"full": full(0.7397)}
    assert areas(sweeps).set_index("metric")["gain_mean"].drop("random").max() < 0


def test_simpsons_rule_by_hand():
    values = [0.9, 0.8, 0.8, 0.7, 0.6, 0.5, 0.2]
    by_hand = 0.1 / 3 * (0.9 + 4 * 0.8 + 2 * 0.8 + 4 * 0.7 + 2 * 0.6 + 4 * 0.5 + 0.2) / 0.6 / 0.95
    assert areas({"random": sweep(curve(values)), "full": full(0.95)})["area_mean"].tolist() == pytest.approx([by_hand])


def test_as_good_as_all_data_is_one_and_other_shares_do_not_enter():
    flat = curve([0.8] * 7) | {0.8: [0.1], 0.9: [0.0]}
    assert areas({"random": sweep(flat), "full": full(0.8)})["area_mean"].tolist() == pytest.approx([1])


def noisy(gain, rng, seeds=4):
    return sweep(
        {share: 0.8 - 0.2 * share + gain + np.linspace(-0.05, 0.05, seeds) + rng.normal(0, 0.001, seeds) for share in SHARES}
    )


def sweeps():
    rng = np.random.default_rng(0)
    named = {"better": noisy(0.02, rng), "worse": noisy(-0.02, rng), "same": noisy(0, rng), "random": noisy(0, rng)}
    return named | {"full": full(*(0.8 + np.linspace(-0.05, 0.05, 4)))}


def test_each_seed_is_compared_with_random_and_all_data_of_its_own():
    table = areas(sweeps())
    assert tuple(table.columns) == COLUMNS
    table = table.set_index("metric")
    assert "full" not in table.index
    assert table["runs"].tolist() == [4] * 4
    assert table["verdict"].to_dict() == {
        "better": "better than random",
        "worse": "worse than random",
        "same": "no difference shown",
        "random": "baseline",
    }
    better = table.loc["better"]
    assert better["gain_mean"] == pytest.approx(0.02 / 0.8, abs=0.002)
    # the seeds spread accuracy by .1; paired, the gain is known to a fiftieth of that
    assert better["gain_high"] - better["gain_low"] < 0.005
    assert np.isnan(table.loc["random", ["gain_mean", "gain_low", "gain_high"]].astype(float)).all()


def test_every_variant_is_compared_with_its_own_random():
    rng, given = np.random.default_rng(1), sweeps()
    for name, gain in (("better", 0.02), ("random", 0.1)):
        given[name] = pd.concat([given[name], noisy(gain, rng).assign(balanced=True, budget="steps")])
    table = areas(given).set_index(["metric", "balanced", "budget"])
    assert table.loc[("better", False, "epochs"), "verdict"] == "better than random"
    assert table.loc[("better", True, "steps"), "verdict"] == "worse than random"


def test_a_single_run_shows_no_difference():
    table = areas({"el2n": sweep(curve([0.9] * 7)), "random": sweep(curve([0.5] * 7)), "full": full(0.9)})
    assert table["verdict"].tolist() == ["no difference shown", "baseline"]
    assert table["gain_mean"].iloc[0] == pytest.approx(0.4 / 0.9)
    assert "single run" in sentence(table)


def test_random_drawn_anew_has_an_area_and_is_not_counted_among_the_metrics():
    table = areas(sweeps() | {"repeated_random": sweeps()["better"]})
    both = table.set_index("metric").loc[["better", "repeated_random"], ["area_mean", "gain_mean", "verdict"]]
    assert both.iloc[0].tolist() == both.iloc[1].tolist()
    assert sentence(table) == sentence(areas(sweeps()))


def test_the_sentence_names_who_differs_and_by_how_much():
    table = areas(sweeps())
    said = sentence(table)
    gain = table.set_index("metric").loc["better", "gain_mean"]
    assert f"1 better than random (better {gain:+.3f} [" in said
    assert "1 worse than random (worse -0.0" in said
    assert "no difference shown for 1 (same)" in said
    assert "4 runs" in said
    assert "not corrected for the number of metrics" in said


def test_what_is_missing_is_named():
    whole = sweeps()
    gap = whole | {"better": whole["better"][~((whole["better"]["point"] == 0.4) & (whole["better"]["seed"] == 2))]}
    with pytest.raises(PipelineError, match=r"better.*no accuracy at the pruned share 0\.4\. .*prune_easiest\.shares"):
        areas(gap)
    with pytest.raises(PipelineError, match="baseline random"):
        areas({"el2n": whole["better"], "full": whole["full"]})
    with pytest.raises(PipelineError, match="no training on all data of seed 3"):
        areas(whole | {"full": whole["full"].iloc[:3]})
