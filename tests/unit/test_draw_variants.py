"""Figures of changed recipes: every value and way is there with its interval, the choice is marked, all in words."""

import warnings

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pipeline_lib.analyse.imbalance import compare
from pipeline_lib.analyse.recipe_values import losses, values
from pipeline_lib.draw import imbalance, recipe_values
from tests.unit.test_analyse_variants import NAMES, RATES, run, sweep, way


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def draw(sweeps, own=None):
    own = {key: (own or {}).get(key) for key in sweeps}
    figure = recipe_values.draw(values(sweeps, own, NAMES), losses(sweeps), "pets: which values?")
    with warnings.catch_warnings():  # of a layout that has no room
        warnings.simplefilter("error")
        figure.canvas.draw()
    return figure


def ticks(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def test_every_key_has_a_row_with_accuracies_classes_and_losses():
    words = sweep(run("sgd", 0, (1, 1), (1, 1)), run("adam, lr 0.001, weight_decay 0.0005", 0, (0.9, 0.9), (1, 1)))
    figure = draw({"optimiser.lr": RATES, "optimiser": words}, {"optimiser.lr": 0.1})
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        f"{key}: {what}"
        for key in ("optimiser.lr", "optimiser")
        for what in ("mean of the classes", "each class, test set", "loss after every epoch")
    ]
    assert ticks(figure.axes[0]) == ["0.01", "0.1\n(recipe)"]
    assert ticks(figure.axes[3])[1] == "adam, lr 0.001,\nweight_decay\n0.0005"
    means = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}
    assert means["held-out part (used to choose)"] == pytest.approx([70, 65])
    assert means["test set (not used to choose)"] == pytest.approx([55, 95])
    shown = [line for line in figure.axes[1].lines if not line.get_label().startswith("_")]
    of_classes = {line.get_label(): list(line.get_ydata()) for line in shown}
    assert of_classes == {"cat": pytest.approx([60, 100]), "dog": pytest.approx([50, 90])}


def test_one_legend_beside_the_panels_explains_all_of_them():
    figure = draw({"optimiser.lr": RATES, "batch": RATES})
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("mean of the classes", "held-out part (used to choose)", "test set (not used to choose)"),
        *("each class", "cat", "dog"),
        *("loss", "examples trained on", "held-out part"),
    ]
    assert legend.get_window_extent().x0 > max(axes.get_window_extent().x1 for axes in figure.axes)
    assert all(axes.get_legend() is None for axes in (*figure.axes[:2], *figure.axes[3:5]))


def test_points_without_an_interval_since_all_trainings_agree_are_hollow():
    figure = draw({"optimiser.lr": RATES})
    hollow = [tuple(line.get_ydata()) for line in figure.axes[1].lines if line.get_markerfacecolor() == "white"]
    assert hollow == [pytest.approx((60, 100)), pytest.approx((50,))], "cat at both values, dog at .01"
    assert "hollow: all are equal, no interval" in figure.get_supxlabel()
    single = draw({"optimiser.lr": RATES[RATES["seed"] == 0]})
    assert not [line for line in single.axes[1].lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert "hollow" not in single.get_supxlabel()


def test_the_chosen_value_stands_in_a_band_and_the_note_explains_what_is_seen():
    figure = draw({"optimiser.lr": RATES}, {"optimiser.lr": 0.1})
    for axes in figure.axes[:2]:
        [band] = axes.patches
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((-0.4, 0.4)), "the first value, 0.01"
    note = figure.get_supxlabel()
    assert "mean of 2 trainings" in note
    assert "95% t-interval" in note
    assert "orange: the value chosen on the held-out examples" in note
    assert "diverged" not in note
    assert "cut off" not in note


def test_losses_are_drawn_by_value_for_as_many_epochs_as_there_are():
    rows = sweep(run(8, 0, (1, 1), (1, 1), (0.4,)), run(16, 0, (0.9, 0.9), (1, 1), (0.3, 1e12)))
    figure = draw({"batch": rows})
    lengths = [len(line.get_xdata()) for line in figure.axes[-1].lines]
    assert lengths == [1, 1, 2, 2]
    assert figure.axes[-1].get_ylim()[1] == 20
    assert "cut off above 20" in figure.get_supxlabel()
    assert "a single training, no intervals" in figure.get_supxlabel()


def test_diverged_trainings_are_crosses_and_told():
    rows = sweep(run(1, 0, None, None, diverged=True), run(0.1, 0, (0.5, 0.5), (0.5, 0.5)))
    figure = draw({"optimiser.lr": rows})
    [crosses] = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert (list(crosses.get_xdata()), list(crosses.get_ydata())) == ([1], [0])
    low, high = figure.axes[0].get_ylim()
    assert low < 0 < high
    assert "crosses: trainings diverged" in figure.get_supxlabel()


def test_a_sweep_in_which_everything_diverged_is_drawn_and_says_so():
    figure = draw({"optimiser.lr": sweep(run(1, 0, None, None, diverged=True))})
    assert "every value has diverged" in figure.get_supxlabel()


def table():
    sweeps = {"none": way([10, 9], [2, 3], [0, 1]), "sampler": way([8, 8], [6, 8], [2, 1])}
    return compare(sweeps, NAMES)


def test_both_test_sets_have_accuracies_and_differences():
    figure = imbalance.draw(table(), {"cat": 30, "dog": 90}, "pets: what helps?")
    assert len(figure.axes) == 4
    whole = figure.axes[0]
    assert [label.get_text() for label in whole.get_yticklabels()] == ["all images", "mean of classes", "dog (90)", "cat (30)"]
    lines = {line.get_label(): line for line in whole.lines}
    assert list(lines["sampler"].get_xdata()) == pytest.approx([75, 75, 80, 70]), "in the order of the table: cat before dog"
    heights = dict(zip(["all images", "mean of classes", "cat", "dog"], lines["sampler"].get_ydata(), strict=True))
    assert heights["dog"] < heights["cat"], "the largest class first, downwards"
    assert [line.get_label() for line in figure.axes[1].lines if not line.get_label().startswith("_")] == ["sampler"]
    assert "paired by seed" in figure.get_supxlabel()
    assert figure.axes[0].get_legend_handles_labels()[1] == ["no correction", "sampler"]
    assert figure.axes[2].get_title(loc="left").startswith("the imbalanced test set")


def test_ways_that_agree_over_all_seeds_are_hollow():
    same = compare({"none": way([10, 10], [2, 3]), "sampler": way([9, 8], [5, 6])}, NAMES)
    figure = imbalance.draw(same, {"cat": 30, "dog": 90}, "pets")
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert [list(line.get_xdata()) for line in hollow] == [[100], [70, 70]], "cat; all images and their mean"
    assert [len(line.get_xdata()) for line in figure.axes[1].lines if line.get_markerfacecolor() == "white"] == [1], "dog: +3 twice"


def test_one_test_set_and_one_training_are_drawn_without_intervals():
    figure = imbalance.draw(compare({"none": way([10], [2]), "sampler": way([9], [5])}, NAMES), {"cat": 3, "dog": 9}, "pets")
    assert len(figure.axes) == 2
    assert "no intervals: a single training" in figure.get_supxlabel()


def test_rows_that_a_table_lacks_are_left_free():
    missing = table().query("measure != 'dog'")
    figure = imbalance.draw(missing, {"cat": 30, "dog": 90}, "pets")
    assert isinstance(missing, pd.DataFrame)
    assert len(figure.axes[0].get_yticklabels()) == 4
