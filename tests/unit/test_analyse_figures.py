"""The figures of areas, noise detection, reliability and cost hold what their tables say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pipeline_lib.analyse.area import SHARES, areas
from pipeline_lib.analyse.cost import PRICES, ledger
from pipeline_lib.draw import area, cost, noise_detection, reliability
from tests.unit.sweep_tables import FULL_FLOPS, full, sweep


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def sweeps(seeds=3):
    spread = np.linspace(0, 0.02, seeds)
    named = {
        name: sweep({s: top - 0.1 * s + spread for s in SHARES}) for name, top in (("random", 0.9), ("el2n", 0.8), ("km", 0.95))
    }
    return named | {"full": full(*(0.95 + spread))}


def scoring(el2n=FULL_FLOPS, km=FULL_FLOPS):
    """Prices of both metrics in operations."""
    prices = {**dict.fromkeys(PRICES, 0.0), "ensemble_flops": [el2n, 0.0], "features_flops": [0.0, km]}
    return pd.DataFrame({"metric": ["el2n", "km"], **prices})


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_areas_are_sorted_and_random_is_dashed():
    table = areas(sweeps())
    figure = area.draw(table, "digits")
    left, right = figure.axes
    assert [tick.get_text() for tick in left.get_yticklabels()] == ["el2n", "km"]  # from the bottom: the worst
    for axes, quantity in ((left, "area_mean"), (right, "gain_mean")):
        for metric in ("el2n", "km"):
            assert lines(axes)[metric].get_xdata() == pytest.approx(table.set_index("metric").loc[metric, [quantity]].tolist())
    assert lines(left)["random"].get_linestyle() == "--"
    assert "3 training seeds" in figure.get_supxlabel()
    assert "95% t-interval" in figure.get_supxlabel()


def test_every_variant_has_its_own_row_of_areas():
    given = {name: pd.concat([t, t.assign(balanced=True)]) if name != "full" else t for name, t in sweeps().items()}
    figure = area.draw(areas(given), "digits")
    assert [axes.get_title(loc="left") for axes in figure.axes[::2]] == [
        "no class balancing, as many epochs as on all data",
        "the same share of every class, as many epochs as on all data",
    ]


def test_single_runs_claim_no_intervals():
    assert "single run" in area.draw(areas(sweeps(1)), "digits").get_supxlabel()
    assert "single run" in cost.draw(ledger(sweeps(1), scoring()), "digits").get_supxlabel()


def test_detection_is_sorted_by_auroc_beside_chance():
    measures = list(noise_detection.PANELS)
    values = {f"{m}{end}": [a, b] for m, a, b in ((m, 0.9, 0.7) for m in measures) for end in ("", "_low", "_high")}
    values["auroc"] = [0.7, 0.9]
    figure = noise_detection.draw(pd.DataFrame({"metric": ["a", "b"], **values, "examples": 200, "wrong": 20}), "digits")
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["a", "b"]
    chance = [lines_of[-1].get_xdata()[0] for lines_of in (axes.lines for axes in figure.axes)]
    assert chance == pytest.approx([0.5, 0.1, 10, 10, 10, 90])
    assert figure.axes[2].lines[0].get_xdata() == pytest.approx([90])  # percent
    assert "20 of 200 labels" in figure.get_suptitle()
    assert "bootstrap" in figure.get_supxlabel()


def test_reliability_shows_halves_and_estimate_and_what_could_not_be_measured():
    rows = [("el2n", 10, 20, 0.8, 0.75, 0.85, 0.89, ""), ("std", 10, 0, *[np.nan] * 4, "no order")]
    columns = ["metric", "seeds", "splits", "half_mean", "half_low", "half_high", "full", "note"]
    figure = reliability.draw(pd.DataFrame(rows, columns=columns), "digits")
    [axes] = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["std", "el2n"]
    assert [text.get_text() for text in axes.texts] == ["not measured (see the table)"]
    filled, estimate = [line for line in axes.lines if len(line.get_xdata()) and line.get_ydata()[0] == 1]
    assert (filled.get_xdata()[0], estimate.get_xdata()[0]) == (0.8, 0.89)
    assert estimate.get_fillstyle() == "none"
    assert "middle 95% of the splits" in figure.get_supxlabel()
    nothing = pd.DataFrame(rows[1:], columns=columns)
    assert reliability.draw(nothing, "digits").axes[0].get_xlim() == pytest.approx((0, 1.03))


def test_cost_counts_the_scoring_once_and_shared():
    figure = cost.draw(ledger(sweeps(), scoring(2 * FULL_FLOPS, 50 * FULL_FLOPS)), "digits")
    alone, shared = figure.axes
    kept = 1 - np.array(SHARES)
    assert lines(alone)["el2n"].get_xdata() == pytest.approx(kept + 2)
    assert lines(alone)["km"].get_xdata() == pytest.approx(kept + 50)
    assert lines(shared)["km"].get_xdata() == pytest.approx(kept + 0.5)
    assert lines(alone)["random"].get_xdata() == pytest.approx(kept)
    assert lines(alone)["all data"].get_xdata()[0] == 1
    assert alone.get_xscale() == "log"
    assert "begins to save" in alone.texts[0].get_text()
    assert "100 trainings" in shared.get_title(loc="left")
    assert "as many epochs" in figure.get_supxlabel(), "the only variant is named"
    assert "floating-point operations" in figure.get_supxlabel()


def test_a_cost_at_which_a_class_is_gone_is_hollow():
    table = ledger(sweeps(), scoring())
    assert "hollow" not in cost.draw(table, "digits").get_supxlabel()
    table.loc[(table["metric"] == "el2n") & (table["point"] == SHARES[-1]), "classes_missing"] = 1
    figure = cost.draw(table, "digits")
    for axes in figure.axes:
        [hollow] = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
        assert hollow.get_xdata() == pytest.approx(lines(axes)["el2n"].get_xdata()[-1:])
    assert "hollow: a class has no example left" in figure.get_supxlabel()


def test_every_variant_has_its_own_row_of_costs():
    given = {
        name: pd.concat([t, t.assign(budget="steps", flops=FULL_FLOPS)]) if name != "full" else t for name, t in sweeps().items()
    }
    figure = cost.draw(ledger(given, scoring()), "digits")
    epochs, _, steps, _ = figure.axes
    assert epochs.get_title(loc="left").endswith("as many epochs as on all data")
    assert steps.get_title(loc="left").endswith("as many steps as on all data")
    assert lines(epochs)["random"].get_xdata() == pytest.approx(1 - np.array(SHARES))
    assert lines(steps)["random"].get_xdata() == pytest.approx([1] * len(SHARES)), "as many steps save nothing"
    assert lines(steps)["all data"].get_xdata()[0] == 1
