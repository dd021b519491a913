"""What happens to single classes: confusions and starved classes by hand, and what a reader finds in their figures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pipeline_lib import confusion
from pipeline_lib.analyse.classes import BALANCED, CLASS, DRAWN, EVERY, KEPT, confusions, starved
from pipeline_lib.analyse.statistics import mean_interval
from pipeline_lib.draw import confusion as confusion_figure
from pipeline_lib.draw import pruning_imbalanced
from pipeline_lib.report import captions

NAN = float("nan")
MATRICES = ([[9, 1, 0], [2, 2, 0], [0, 0, 5]], [[8, 2, 0], [0, 4, 0], [0, 0, 5]])


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def full(matrices=MATRICES, drawn=None):
    """Trainings on all data with these confusion matrices; 100, 20 and 5 training examples."""
    rows = []
    for seed, matrix in enumerate(matrices):
        matrix = np.array(matrix)
        row = {"seed": seed, "accuracy": confusion.accuracy(matrix), "balanced_accuracy": confusion.balanced_accuracy(matrix)}
        row |= {"kept_ant": 100, "kept_bee": 20, "kept_cat": 5, "confusion": confusion.to_text(matrix)}
        if drawn is not None:
            row |= {"drawn_accuracy": 0.75, "drawn_balanced_accuracy": 0.5, "drawn_confusion": confusion.to_text(drawn)}
        rows.append(row)
    return pd.DataFrame(rows)


def at(table, **where):
    [found] = table[np.logical_and.reduce([table[key] == value for key, value in where.items()])].to_dict("records")
    return found


def words(figure):
    found = [text.get_text() for axes in figure.axes for text in axes.findobj(plt.Text) if text.get_text()]
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join([*found, *legends, figure.get_suptitle(), figure.get_supxlabel()])


def test_confusions_are_shares_of_the_true_class():
    table = confusions(full())
    assert table["true"].tolist() == [EVERY, EVERY, "ant", "ant", "bee", "bee", "cat"], "what never occurred is left out"
    ant = at(table, true="ant", predicted="bee")
    assert (ant["trained"], ant["images"], ant["runs"]) == (100, 10, 2)
    assert ant["mean"] == pytest.approx((0.1 + 0.2) / 2)
    assert ant["high"] == pytest.approx(mean_interval(np.array([0.1, 0.2]))[2])
    assert at(table, true="bee", predicted="bee")["mean"] == pytest.approx((0.5 + 1) / 2)
    assert at(table, true=EVERY, predicted="accuracy")["mean"] == pytest.approx((16 / 19 + 17 / 19) / 2)
    assert at(table, true=EVERY, predicted="balanced_accuracy")["mean"] == pytest.approx((2.4 / 3 + 2.8 / 3) / 2)
    assert at(table, true=EVERY, predicted="accuracy")["images"] == 19


def test_the_drawn_test_set_follows_the_whole_one():
    table = confusions(full(drawn=np.array([[3, 0, 0], [1, 0, 0], [0, 0, 0]])))
    drawn = table[table["test_set"] == "drawn"]
    assert drawn["true"].tolist() == [EVERY, EVERY, "ant", "bee", "bee"], "of cat there is no image"
    assert at(drawn, true="bee", predicted="bee")["mean"] == 0
    assert at(drawn, true=EVERY, predicted="accuracy")["mean"] == 0.75
    assert table["test_set"].tolist() == ["all"] * 7 + ["drawn"] * 5


def test_the_figure_shows_every_confusion_and_the_accuracies():
    figure = confusion_figure.draw(confusions(full()), "insects")
    said = words(figure)
    for text in (
        "insects",
        "ant (100)",
        "cat (5)",
        "15",
        "75",
        "balanced accuracy: 86.7%",
        "On the test set: 19 images",
        "2 trainings",
    ):
        assert text in said, text
    assert "imbalanced" not in said
    hollow = [list(line.get_xdata()) for line in figure.axes[1].lines if line.get_markerfacecolor() == "white"]
    assert hollow == [[100]], "all cats, in both trainings"
    assert "hollow: all are equal, no interval" in said
    assert "no intervals: a single training" in words(confusion_figure.draw(confusions(full(MATRICES[:1])), "insects"))
    assert "On the imbalanced test set: 4 images" in words(
        confusion_figure.draw(confusions(full(drawn=np.array([[3, 0, 0], [1, 0, 0], [0, 0, 0]]))), "insects")
    )


def test_many_classes_have_their_worst_confusions_listed():
    classes = 100
    matrix = np.diag([95] * classes)
    matrix[np.arange(classes), (np.arange(classes) + 1) % classes] = 5
    matrix[7, 7], matrix[7, 8] = 60, 40
    row = {"seed": 0, "accuracy": 0.9, "balanced_accuracy": 0.9, "confusion": confusion.to_text(matrix)}
    table = confusions(pd.DataFrame([row | {f"kept_c{number}": 500 for number in range(classes)}]))
    figure = confusion_figure.draw(table, "many")
    said = words(figure)
    assert "The 20 most frequent confusions" in said
    assert figure.axes[-1].get_yticklabels()[0].get_text() == "c7 → c8"
    assert not [text for text in figure.axes[0].texts if text.get_text()], "no numbers in a hundred columns"


def sweep(rows, sizes=(80, 20)):
    """Runs of a sweep: (balanced, point, seed, kept of ant and bee, accuracy of ant and bee)."""
    table = pd.DataFrame(rows, columns=["balanced", "point", "seed", "kept_ant", "kept_bee", "accuracy_ant", "accuracy_bee"])
    table["balanced_accuracy"] = (table["accuracy_ant"] + table["accuracy_bee"]) / 2
    return table.assign(budget="epochs", drawn_accuracy=0.5)


SWEEPS = {
    "el2n": sweep(
        [
            (False, 0.5, 0, 30, 20, 0.9, 0.8),
            (False, 0.5, 1, 32, 18, 0.7, 0.8),
            (True, 0.5, 0, 40, 10, 1.0, 0.5),
            (True, 0.5, 1, 40, 10, 0.9, 0.6),
        ]
    ),
    "random": sweep(
        [(False, 0.5, seed, 40, 10, 0.8, 0.4) for seed in (0, 1)] + [(True, 0.5, seed, 40, 10, 0.8, 0.5) for seed in (0, 1)]
    ),
    "full": sweep([(False, NAN, seed, 80, 20, 0.95, 0.75) for seed in (0, 1)]),
}


def test_starved_classes_by_hand():
    table = starved(SWEEPS)
    kept = at(table, metric="el2n", balanced=False, measure=KEPT, **{"class": "ant"})
    assert (kept["trained"], kept["runs"]) == (80, 2)
    assert kept["mean"] == pytest.approx((30 + 32) / 2 / 80)
    assert np.isnan(kept["gain_mean"]), "nothing to compare with"
    assert at(table, metric="el2n", balanced=True, measure=KEPT, **{"class": "ant"})["gain_mean"] == pytest.approx(9 / 80)
    bee = at(table, metric="el2n", balanced=True, measure=CLASS, **{"class": "bee"})
    assert bee["mean"] == pytest.approx(0.55)
    assert bee["gain_mean"] == pytest.approx((-0.3 - 0.2) / 2)
    assert bee["gain_low"] == pytest.approx(mean_interval(np.array([-0.3, -0.2]))[1]), "paired by seed"
    every = at(table, metric="random", balanced=True, measure=BALANCED, **{"class": EVERY})
    assert (every["trained"], every["mean"]) == (100, pytest.approx(0.65))
    assert every["gain_mean"] == pytest.approx(0.05)
    assert at(table, metric="full", balanced=False, measure=DRAWN, **{"class": EVERY})["mean"] == 0.5


def test_random_subsets_of_every_epoch_leave_nothing_out_and_are_no_row():
    pd.testing.assert_frame_equal(starved(SWEEPS | {"repeated_random": SWEEPS["random"]}), starved(SWEEPS))


def test_without_a_drawn_test_set_there_is_no_accuracy_on_it():
    table = starved({metric: runs.drop(columns="drawn_accuracy") for metric, runs in SWEEPS.items()})
    assert DRAWN not in set(table["measure"])


def test_the_figure_names_the_smallest_class_and_what_is_kept():
    figure = pruning_imbalanced.draw(starved(SWEEPS), "insects", 0.5)
    said = words(figure)
    for text in ("insects", "ant (80)", "bee (20)", "the smallest class, bee (20 of 100 examples)", "39", "95", "el2n", "all data"):
        assert text in said, text
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells == ["39", "95", "50", "50"], "el2n and random; ant and bee"


def test_the_captions_say_what_they_stand_on():
    assert "19 test images, 4 of them in the imbalanced test set. " in captions.CAPTIONS["confusion"].behind(
        confusions(full(drawn=np.array([[3, 0, 0], [1, 0, 0], [0, 0, 0]])))
    )
    assert captions.CAPTIONS["confusion"].behind(confusions(full())).startswith("19 test images. Every point is the mean of 2")
    assert "What quotas add is paired" in captions.CAPTIONS["pruning_imbalanced"].behind(starved(SWEEPS))
