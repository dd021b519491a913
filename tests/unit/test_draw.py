"""Figures hold what their tables say, in words."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import rgb_to_hsv, to_rgb
from PIL import Image

from pipeline_lib.draw import correlation, style


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


CLUSTERS = [f"km_prototypes_{k}" for k in (5, 10, 55, 100, 200, "classes", "elbow")]


def grey(colour):
    """Luminance, 0..1: what is left of a colour without hue."""
    return np.dot(to_rgb(colour), [0.2126, 0.7152, 0.0722])


def test_no_two_metrics_look_the_same():
    looks = [tuple(style.look(name).items()) for name in (*style.KNOWN, *CLUSTERS, "el2n_early", "mine", "yours")]
    assert len(set(looks)) == len(looks)


def test_clusterings_are_shades_of_km_the_darker_the_more_clusters():
    assert {style.look(name)["marker"] for name in CLUSTERS}.isdisjoint(style.look("km")["marker"])
    assert len({style.look(name)["marker"] for name in CLUSTERS}) == len(CLUSTERS), "told apart without colours"
    shades = [grey(style.look(name)["color"]) for name in CLUSTERS]
    assert (np.diff(shades[:5]) < 0).all()
    hues = {round(rgb_to_hsv(to_rgb(style.look(name)["color"]))[0], 1) for name in ("km", *CLUSTERS)}
    assert len(hues) == 1


def test_a_name_belongs_to_the_longest_known_one_that_it_begins_with():
    [hue, raw] = [rgb_to_hsv(to_rgb(style.look(name)["color"]))[0] for name in ("forget_raw_2", "forget_raw")]
    assert hue == pytest.approx(raw, abs=0.02)
    assert style.look("formal")["color"] in style.PALETTE, "a beginning alone is no family"


def test_the_heat_map_writes_its_values():
    values = pd.DataFrame([[1, -0.5], [-0.5, np.nan]], index=["a", "b"], columns=["a", "b"])
    figure = correlation.draw(values, "digits", "spearman", 1438, list(values))
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.00", "-0.50", "-0.50", "-"]
    assert "1,438 training examples" in figure.axes[0].get_title(loc="left")


def test_the_heat_map_knows_no_negative_zero():
    values = pd.DataFrame([[1, -0.001], [-0.001, 1]], index=["a", "b"], columns=["a", "b"])
    assert [text.get_text() for text in correlation.draw(values, "digits", "spearman", 9, list(values)).axes[0].texts][1] == "0.00"


def test_metrics_that_agree_or_are_opposed_stand_side_by_side():
    names = ["el2n", "km", "loss", "flip", "easiness", "constant"]
    values = pd.DataFrame(np.eye(6), index=names, columns=names)
    for one, other, rho in (("el2n", "loss", 0.9), ("el2n", "easiness", -0.9), ("loss", "easiness", -0.95), ("km", "flip", 0.5)):
        values.loc[one, other] = values.loc[other, one] = rho
    values.loc["constant"] = values["constant"] = np.nan
    order = correlation.alike_together(values)
    axes = correlation.draw(values, "digits", "spearman", 9, order).axes[0]
    assert order == [label.get_text() for label in axes.get_yticklabels()]
    assert order == [label.get_text() for label in axes.get_xticklabels()]
    assert sorted(order) == sorted(names)
    for alike in ({"el2n", "loss", "easiness"}, {"km", "flip"}):
        places = [order.index(name) for name in alike]
        assert max(places) - min(places) == len(alike) - 1
    written = np.array([text.get_text() for text in axes.texts]).reshape(6, 6)
    assert written[order.index("loss"), order.index("easiness")] == "-0.95"


def test_a_saved_figure_is_a_picture_and_the_same_one_again(tmp_path):
    values = pd.DataFrame(np.eye(6), index=list("abcdef"), columns=list("abcdef"))
    for name in ("one.png", "two.png"):
        style.save(correlation.draw(values, "digits", "spearman", 1438, list(values)), tmp_path / name)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size[0] > 1000
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert not plt.get_fignums()
