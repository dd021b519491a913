"""Figures hold what their tables say, in words."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from pipeline_lib.draw import correlation, sliding_window, style


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def table(runs=3):
    spread = 0.02 if runs > 1 else np.nan
    rows = [
        (m, s, 0.4, runs, 0.5 + s / 2, 0.5 + s / 2 - spread, 0.5 + s / 2 + spread) for m in ("el2n", "mine") for s in (0, 0.3, 0.6)
    ]
    rows += [
        ("random", np.nan, 0.4, runs, 0.7, 0.7 - spread, 0.7 + spread),
        ("full", np.nan, 1.0, runs, 0.9, 0.9 - spread, 0.9 + spread),
    ]
    return pd.DataFrame(rows, columns=["metric", "start", "size", "runs", "accuracy_mean", "accuracy_low", "accuracy_high"])


def test_one_line_per_metric_and_dashed_baselines():
    axes = sliding_window.draw(table(), "digits").axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == ["el2n", "mine", "random 40%", "all data"]
    assert lines["el2n"].get_ydata() == pytest.approx([50, 65, 80])
    assert lines["el2n"].get_xdata() == pytest.approx([0, 30, 60], abs=1)
    assert [lines[name].get_linestyle() for name in ("random 40%", "all data")] == ["--", "--"]
    assert lines["all data"].get_ydata()[0] == pytest.approx(90)


def test_intervals_are_drawn_and_explained():
    figure = sliding_window.draw(table(), "digits")
    [first, *_] = figure.axes[0].collections
    low, high = first.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((48, 52))
    assert "mean of 3 trainings" in figure.get_supxlabel()
    assert "95% t-interval" in figure.get_supxlabel()


def test_a_single_run_claims_no_interval():
    assert "no intervals: a single run" in sliding_window.draw(table(runs=1), "digits").get_supxlabel()


def test_the_axis_says_where_the_easy_examples_are():
    axes = sliding_window.draw(table(), "digits").axes[0]
    label = axes.get_xlabel()
    assert label.index("easiest") < label.index("hardest")
    assert axes.get_ylabel() == "test accuracy (%)"
    assert "digits" in axes.get_title(loc="left")


def test_a_metric_looks_the_same_in_every_figure():
    assert style.look("km", ["km"]) == style.look("km", ["el2n", "other", "km"])
    looks = [tuple(style.look(name, ["mine", "yours"]).items()) for name in (*style.KNOWN, "mine", "yours")]
    assert len(set(looks)) == len(looks)


def test_the_heat_map_writes_its_values():
    values = pd.DataFrame([[1, -0.5], [-0.5, np.nan]], index=["a", "b"], columns=["a", "b"])
    figure = correlation.draw(values, "digits", "spearman", 1438)
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "-0.50", "-0.50", "-"]
    assert "1,438 training examples" in figure.axes[0].get_title(loc="left")


def test_a_saved_figure_is_a_picture_and_the_same_one_again(tmp_path):
    for name in ("one.png", "two.png"):
        style.save(sliding_window.draw(table(), "digits"), tmp_path / name)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size[0] > 1000
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert not plt.get_fignums()
