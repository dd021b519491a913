"""Figures hold what their tables say, in words."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image

from pipeline_lib.draw import correlation, style


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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
    values = pd.DataFrame(np.eye(6), index=list("abcdef"), columns=list("abcdef"))
    for name in ("one.png", "two.png"):
        style.save(correlation.draw(values, "digits", "spearman", 1438), tmp_path / name)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.size[0] > 1000
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert not plt.get_fignums()
