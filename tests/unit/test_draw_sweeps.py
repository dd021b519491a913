"""Figures of sweeps and curves: one line per metric, dashed baselines, intervals, one panel per variant, all in words."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from pipeline_lib.analyse.sweeps import COLUMNS, CURVE_COLUMNS
from pipeline_lib.draw import curves, style, sweeps

NAN = float("nan")
VARIANTS = [(balanced, budget) for balanced in (False, True) for budget in ("epochs", "steps")]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def row(metric, point, kept_share, mean, runs=3, balanced=False, budget="epochs"):
    spread = 0.02 if runs > 1 else NAN
    gains, classes = (NAN, NAN, NAN), (0, kept_share, kept_share)
    return (metric, balanced, budget, point, kept_share, runs, mean, mean - spread, mean + spread, *gains, *classes)


def windows(**options):
    """A sliding window: the baselines are of no start."""
    rows = [row(metric, start, 0.4, 0.5 + start / 2, **options) for metric in ("el2n", "mine") for start in (0, 0.3, 0.6)]
    return pd.DataFrame([*rows, row("random", NAN, 0.4, 0.7, **options)], columns=COLUMNS)


def pruned(**options):
    """Growing shares pruned: random at every share."""
    rows = [row(metric, share, 1 - share, 1 - share / 2, **options) for metric in ("el2n", "random") for share in (0.3, 0.6)]
    return pd.DataFrame(rows, columns=COLUMNS)


def with_full(*tables, runs=3):
    return pd.concat([*tables, pd.DataFrame([row("full", NAN, 1.0, 0.9, runs=runs)], columns=COLUMNS)], ignore_index=True)


def draw(table, experiment="sliding_window", prefix="", names=None):
    return sweeps.draw(sweeps.variants(table, sweeps.axis(experiment, table), prefix), "digits: which window?", names)


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def shown(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_one_line_per_metric_and_dashed_baselines():
    [axes] = draw(with_full(windows())).axes
    found = lines(axes)
    assert list(found) == ["el2n", "mine", "random 40%", "all data"]
    assert found["el2n"].get_ydata() == pytest.approx([50, 65, 80])
    assert found["el2n"].get_xdata() == pytest.approx([0, 30, 60], abs=1)
    assert "-" not in {found[name].get_linestyle() for name in ("random 40%", "all data")}
    assert set(found["all data"].get_ydata()) == {90}
    assert set(found["random 40%"].get_ydata()) == {70}


def test_random_drawn_anew_is_a_grey_line_of_its_own():
    anew = pd.DataFrame([row("repeated_random", NAN, 0.4, 0.75)], columns=COLUMNS)
    figure = draw(with_full(windows(), anew))
    line = lines(figure.axes[0])["random 40%, new each epoch (RS2)"]
    assert set(line.get_ydata()) == {75}
    assert line.get_linestyle() == "-"
    assert "random: dashed; new each epoch: solid grey" in figure.get_supxlabel()
    assert "new each epoch" not in draw(with_full(windows())).get_supxlabel()
    shares = pruned()
    anew = shares[shares["metric"] == "random"].assign(metric="repeated_random", accuracy_mean=0.8)
    found = lines(draw(with_full(pd.concat([shares, anew])), "prune_easiest").axes[0])
    assert found["random, new each epoch (RS2)"].get_ydata() == pytest.approx([80, 80])


def test_random_is_a_curve_where_it_has_points():
    figure = draw(with_full(pruned()), "prune_easiest")
    random = lines(figure.axes[0])["random"]
    assert random.get_xdata() == pytest.approx([30, 60])
    assert random.get_ydata() == pytest.approx([85, 70])
    assert legend(figure) == ["el2n", "random", "all data"]


def test_points_are_drawn_in_their_order_whatever_the_rows():
    table = with_full(pruned()).iloc[::-1].reset_index(drop=True)
    for line in lines(draw(table, "prune_easiest").axes[0]).values():
        assert (np.diff(line.get_xdata()) > 0).all()


def test_intervals_are_drawn_and_explained():
    figure = draw(with_full(windows()))
    [first, *_] = figure.axes[0].collections
    low, high = first.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((48, 52))
    assert "mean of 3 trainings" in figure.get_supxlabel()
    assert "95% t-interval" in figure.get_supxlabel()


def test_a_single_run_claims_no_interval():
    note = draw(with_full(windows(runs=1), runs=1)).get_supxlabel()
    assert "mean of 1 training;" in note
    assert "no intervals: a single run" in note


def test_unequal_numbers_of_runs_are_told():
    assert "mean of 2 to 5 trainings" in draw(with_full(windows(runs=2), runs=5)).get_supxlabel()


def test_the_axis_of_a_window_says_its_size_and_where_the_easy_examples_are():
    figure = draw(with_full(windows()))
    label = figure.axes[0].get_xlabel()
    assert "window of 40%" in label
    assert label.index("easiest") < label.index("hardest")
    assert figure.axes[0].get_ylabel() == "test accuracy (%)"
    assert figure.get_suptitle() == "digits: which window?"


@pytest.mark.parametrize(
    ("experiment", "what"),
    [
        ("prune_easiest", "the easiest"),
        ("prune_hardest", "the hardest"),
        ("clusters", "the easiest"),
        ("prune_stratified", "the hardest left out, the others taken evenly"),
    ],
)
def test_the_axis_of_pruning_says_what_is_pruned(experiment, what):
    label = draw(with_full(pruned()), experiment).axes[0].get_xlabel()
    first, second = label.splitlines()
    assert "pruned" in first
    assert what in first
    assert "% of the training set" in first
    assert second.index("most data") < second.index("least data")


FINE = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.51, 0.52, 0.53, 0.54, 0.55, 0.56, 0.57, 0.58, 0.59, 0.6]  # the thesis's starts


def fine_windows():
    rows = [row(metric, start, 0.4, 0.5 + start / 2) for metric in ("el2n", "km", "std") for start in FINE]
    return with_full(pd.DataFrame([*rows, row("random", NAN, 0.4, 0.7)], columns=COLUMNS))


def test_a_part_with_dense_points_is_drawn_once_more_enlarged():
    whole, part = draw(fine_windows()).axes
    assert (whole.get_title(loc="left"), part.get_title(loc="left")) == ("", "enlarged: 50 to 60%")
    assert lines(part)["el2n"].get_xdata() == pytest.approx(range(50, 61), abs=0.5)
    assert len(lines(whole)["el2n"].get_xdata()) == len(FINE)
    assert list(lines(part)) == list(lines(whole)), "baselines in both"
    assert part.get_ylim() != whole.get_ylim(), "a scale of its own"


@pytest.mark.parametrize(
    ("points", "part"),
    [
        (FINE, (0.5, 0.6)),
        ([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], None),
        ([0.3, 0.5, 0.7, 0.8, 0.9], None),
        ([0, 0.01, 0.02, 0.3], None),
        ([0, 0.01, 0.02, 0.03, 0.3, 0.31, 0.32, 0.33, 0.34], (0.3, 0.34)),
        ([0.5], None),
    ],
    ids=["thesis", "even", "halved", "too few", "the longer of two", "one"],
)
def test_what_is_dense(points, part):
    assert sweeps.dense_part(np.array(points[::-1])) == part


def test_bars_stand_side_by_side_and_never_reach_over_to_the_next_point():
    for axes in draw(fine_windows()).axes:
        bars = {to_hex(each.get_color()[0]): [x for (x, _), _ in each.get_segments()] for each in axes.collections}
        shown = [lines(axes)[name] for name in ("el2n", "km", "std")]
        assert np.ptp([line.get_xdata() for line in shown], axis=0).max() == 0, "the lines themselves stand where they belong"
        drawn = np.array([bars[to_hex(line.get_color())] for line in shown])
        gaps = np.diff(100 * np.array(FINE[-drawn.shape[1] :]))
        assert (np.ptp(drawn, axis=0)[1:] <= gaps / 2).all()
        assert (np.ptp(drawn, axis=0)[:-1] <= gaps / 2).all()
        assert (np.ptp(drawn, axis=0) > 0).all()


def test_a_point_where_a_class_is_missing_is_hollow_and_explained():
    table = with_full(pruned())
    assert "hollow" not in draw(table, "prune_easiest").get_supxlabel()
    table.loc[(table["point"] == 0.6), "classes_missing"] = 2
    figure = draw(table, "prune_easiest")
    hollow = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert [(line.get_xdata(), line.get_ydata()) for line in hollow] == [(pytest.approx([60]), pytest.approx([70]))] * 2
    assert [to_hex(line.get_color()) for line in hollow] == [
        to_hex(lines(figure.axes[0])[n].get_color()) for n in ("el2n", "random")
    ]
    assert "hollow: a class has no example left" in figure.get_supxlabel()


def test_the_bar_of_all_data_stands_clear_of_a_single_point():
    table = with_full(pd.DataFrame([row("el2n", 0.5, 0.5, 0.8), row("random", 0.5, 0.5, 0.7)], columns=COLUMNS))
    bars = [collection.get_segments()[0][0, 0] for collection in draw(table, "prune_easiest").axes[0].collections]
    assert bars == pytest.approx([50, 50, 56])


def test_the_note_says_which_baselines_have_their_bars_at_the_right():
    assert "random: dashed; all data: dotted; their bars at the right" in draw(with_full(windows())).get_supxlabel()
    assert "random: dashed; all data: dotted, its bar at the right" in draw(with_full(pruned()), "prune_easiest").get_supxlabel()


def crowded(highest=0.98):
    """Three metrics that lose nothing until half is pruned, and collapse at the end."""
    shares = (0.1, 0.2, 0.3, 0.4, 0.5, 0.9)
    rows = [
        row(metric, share, 1 - share, 0.7 if share == 0.9 else best)
        for metric, best in (("el2n", highest), ("km", highest - 0.005), ("random", highest - 0.01))
        for share in shares
    ]
    return with_full(pd.DataFrame(rows, columns=COLUMNS))


def test_a_lone_panel_crowded_at_its_upper_edge_is_drawn_once_more_enlarged():
    whole, upper = draw(crowded(), "prune_easiest").axes
    assert (whole.get_title(loc="left"), upper.get_title(loc="left")) == ("", "enlarged: test accuracy above 97%")
    assert upper.get_ylim()[0] == 97
    assert whole.get_ylim()[0] < 70
    assert list(lines(upper)) == list(lines(whole))
    assert lines(upper)["el2n"].get_ydata() == pytest.approx(lines(whole)["el2n"].get_ydata())


def test_where_all_is_right_the_enlarged_part_is_a_point_high():
    table = crowded(1.0)
    table.loc[table["accuracy_mean"] > 0.9, "accuracy_mean"] = 1.0
    _, upper = draw(table, "prune_easiest").axes
    assert upper.get_title(loc="left") == "enlarged: test accuracy above 99%"
    assert upper.get_ylim()[0] == 99
    assert upper.get_ylim()[1] > 100


def test_panels_beside_one_another_are_not_enlarged():
    panels = sweeps.variants(crowded(), "x", "one") + sweeps.variants(crowded(), "x", "other")
    assert [axes.get_title(loc="left") for axes in sweeps.draw(panels, "").axes] == ["one", "other"]


def test_the_legend_tells_the_number_of_clusters_where_the_name_does_not():
    names = {"km_5": "k = 5", "km_elbow": "k = elbow", "km_classes": "k = classes"}
    found = sweeps.numbered(names, {"km_5": 5, "km_elbow": 17, "km_classes": 10})
    assert found == {"km_5": "k = 5", "km_elbow": "k = elbow (17)", "km_classes": "k = classes (10)"}
    assert sweeps.numbered(names, {}) == names


def test_a_single_variant_is_one_panel_without_a_title():
    [panel] = sweeps.variants(with_full(windows(balanced=True, budget="steps")), "x")
    assert panel.title == ""
    assert set(panel.table["metric"]) == {"el2n", "mine", "random", "full"}


@pytest.mark.parametrize(
    ("chosen", "titles"),
    [
        (VARIANTS[:2], ["as many epochs as on all data", "as many steps as on all data"]),
        (VARIANTS[::2], ["no class balancing", "the same share of every class"]),
        (
            VARIANTS,
            [
                "no class balancing, as many epochs as on all data",
                "no class balancing, as many steps as on all data",
                "the same share of every class, as many epochs as on all data",
                "the same share of every class, as many steps as on all data",
            ],
        ),
    ],
    ids=["budgets", "balance", "both"],
)
def test_a_panel_for_every_variant_named_by_what_sets_it_apart(chosen, titles):
    table = with_full(*(windows(balanced=balanced, budget=budget) for balanced, budget in chosen))
    figure = draw(table)
    assert [axes.get_title(loc="left") for axes in shown(figure)] == titles
    assert legend(figure) == ["el2n", "mine", "random 40%", "all data"], "every metric once"
    assert all(list(lines(axes)) == legend(figure) for axes in shown(figure)), "all data stand in every panel"
    colours = [{name: to_hex(line.get_color()) for name, line in lines(axes).items()} for axes in shown(figure)]
    assert all(of_panel == colours[0] for of_panel in colours)


def test_panels_hold_the_rows_of_their_own_variant():
    two = windows(budget="steps").assign(accuracy_mean=0.8, accuracy_low=0.78, accuracy_high=0.82)
    first, second = shown(draw(with_full(windows(), two)))
    assert lines(first)["el2n"].get_ydata() == pytest.approx([50, 65, 80])
    assert lines(second)["el2n"].get_ydata() == pytest.approx([80, 80, 80])
    assert first.get_ylim() == second.get_ylim(), "one scale"


def test_a_place_without_a_panel_is_empty():
    panels = sweeps.variants(with_full(windows()), "x", "digits") + sweeps.variants(
        with_full(windows(), windows(balanced=True)), "x", "noisy"
    )
    figure = sweeps.draw(panels, "")
    assert len(figure.axes) == 4
    titles = [axes.get_title(loc="left") for axes in shown(figure)]
    assert titles == ["digits", "noisy, no class balancing", "noisy, the same share of every class"]


def test_a_metric_can_have_a_longer_name_in_the_legend():
    figure = draw(with_full(windows()), names={"mine": "mine, k = 10"})
    assert legend(figure) == ["el2n", "mine, k = 10", "random 40%", "all data"]


def followed(metric, point, last, runs=3, balanced=False, budget="epochs", shares=(0.5, 0.5)):
    means = [last / 2, last]
    spread = 0.02 if runs > 1 else NAN
    rows = [
        (metric, balanced, budget, point, epoch, runs, mean, mean - spread, mean + spread, NAN, NAN, NAN, share)
        for epoch, (mean, share) in enumerate(zip(means, shares, strict=True), 1)
    ]
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def curriculum(**options):
    own = [followed("el2n", "easiest", 0.6, **options), followed("el2n", "hardest", 0.8, **options)]
    own += [followed("km", "easiest", 0.7, **options), followed("km", "hardest", 0.5, **options)]
    return pd.concat([*own, followed("random", NAN, 0.65, **options)])


def test_a_curriculum_has_a_panel_for_each_end_with_the_baselines_in_both():
    panels = curves.panels(pd.concat([curriculum(budget="steps"), followed("full", NAN, 0.9)]))
    assert list(panels) == ["begins with the easiest", "begins with the hardest"]
    for title, table in panels.items():
        assert sorted(table["metric"].unique()) == ["el2n", "full", "km", "random"]
        own = table[~table["metric"].isin(style.BASELINES)]
        assert set(own["point"]) == {title.split()[-1]}


def test_one_share_is_one_panel_without_a_title():
    table = pd.concat([followed("el2n", 0.5, 0.6), followed("random", 0.5, 0.65), followed("full", NAN, 0.9)])
    [(title, rows)] = curves.panels(table).items()
    assert title == ""
    assert len(rows) == 6


def test_random_drawn_anew_is_followed_beside_random_that_stays_and_by_no_panel_of_its_own():
    table = pd.concat(
        [
            *(followed("el2n", 0.5, 0.6, budget=budget) for budget in ("epochs", "steps")),
            *(followed("random", 0.5, 0.5, budget=budget) for budget in ("epochs", "steps")),
            followed("repeated_random", 0.5, 0.7),
            followed("full", NAN, 0.9),
        ]
    )
    panels = curves.panels(table)
    there = {title: set(rows["metric"]) for title, rows in panels.items()}
    assert there == {
        "as many epochs as on all data": {"el2n", "random", "repeated_random", "full"},
        "as many steps as on all data": {"el2n", "random", "full"},
    }
    figure = curves.draw(panels, "digits")
    assert lines(figure.axes[0])["random, new each epoch (RS2)"].get_linestyle() == "-"


def test_variants_of_a_curve_have_their_own_random_runs():
    tables = [
        pd.concat([followed("el2n", 0.5, 0.6, balanced=balanced), followed("random", 0.5, share, balanced=balanced)])
        for balanced, share in ((False, 0.5), (True, 0.7))
    ]
    panels = curves.panels(pd.concat([*tables, followed("full", NAN, 0.9)]))
    assert list(panels) == ["no class balancing", "the same share of every class"]
    last = [table.query("metric == 'random' and epoch == 2")["accuracy_mean"].tolist() for table in panels.values()]
    assert last == [[0.5], [0.7]]


def test_curves_run_over_the_epochs_and_the_last_one_stands_alone_at_the_right():
    figure = curves.draw(curves.panels(pd.concat([curriculum(), followed("full", NAN, 0.9)])), "digits")
    *panels, last = figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == ["begins with the easiest", "begins with the hardest"]
    for axes in panels:
        assert list(lines(axes)) == ["el2n", "km", "random", "all data"]
        assert lines(axes)["random"].get_linestyle() != "-"
        assert lines(axes)["el2n"].get_xdata().tolist() == [1, 2]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "test accuracy (%)")
    assert lines(panels[0])["el2n"].get_ydata() == pytest.approx([30, 60])
    assert lines(panels[1])["el2n"].get_ydata() == pytest.approx([40, 80])
    assert [text.get_text() for text in last.get_yticklabels()] == ["el2n", "random", "km", "all data"], "best at the top"
    assert last.get_xlabel() == "test accuracy after the last epoch (%)"
    assert "hollow: begins with the hardest" in last.get_title(loc="left")
    assert legend(figure) == ["el2n", "km", "random", "all data"]


def test_intervals_are_bands_behind_the_lines():
    figure = curves.draw(curves.panels(pd.concat([followed("el2n", 0.5, 0.6), followed("full", NAN, 0.9)])), "digits")
    band, _ = figure.axes[0].collections
    low_and_high = {(epoch, round(value)) for epoch, value in band.get_paths()[0].vertices}
    assert low_and_high == {(1, 28), (1, 32), (2, 58), (2, 62)}
    assert band.get_alpha() < 0.2
    assert "bands and bars: 95% t-interval" in figure.get_supxlabel()


def test_a_vertical_line_tells_from_where_on_a_curriculum_has_all_data():
    table = pd.concat([curriculum(shares=(0.5, 1.0)), followed("full", NAN, 0.9, shares=(1.0, 1.0))])
    figure = curves.draw(curves.panels(table), "digits")
    for axes in figure.axes[:2]:
        [line] = [line for line in axes.lines if list(line.get_ydata()) == [0, 1]]
        assert set(line.get_xdata()) == {2}
        assert line.get_color() != plt.rcParams["grid.color"]
        assert line.get_zorder() > max(band.get_zorder() for band in axes.collections), "no band hides it"
        assert [text.get_text() for text in axes.texts] == [" all data in"]
    assert "vertical line" in figure.get_supxlabel()
    same = pd.concat([curriculum(), followed("full", NAN, 0.9, shares=(1.0, 1.0))])
    assert "vertical line" not in curves.draw(curves.panels(same), "digits").get_supxlabel()


def test_random_of_every_variant_stands_at_the_last_epoch_and_all_data_once():
    tables = [
        pd.concat([followed("el2n", 0.5, 0.6, balanced=balanced), followed("random", 0.5, share, balanced=balanced)])
        for balanced, share in ((False, 0.5), (True, 0.7))
    ]
    figure = curves.draw(curves.panels(pd.concat([*tables, followed("full", NAN, 0.9)])), "digits")
    drawn = [(round(line.get_xdata()[0]), line.get_markerfacecolor() == "white") for line in figure.axes[-1].lines]
    assert sorted(drawn) == [(50, False), (60, False), (60, True), (70, True), (90, False)]


def test_the_last_epoch_shows_its_intervals():
    figure = curves.draw(curves.panels(pd.concat([followed("el2n", 0.5, 0.6), followed("full", NAN, 0.9)])), "digits")
    last = figure.axes[-1]
    assert [line.get_xdata()[0] for line in last.lines] == pytest.approx([60, 90])
    segments = [segment[:, 0].tolist() for collection in last.collections for segment in collection.get_segments()]
    assert segments == [pytest.approx([58, 62]), pytest.approx([88, 92])]
    assert "mean of 3 trainings" in figure.get_supxlabel()


def test_a_single_curve_claims_no_interval():
    table = pd.concat([followed("el2n", 0.5, 0.6, runs=1), followed("full", NAN, 0.9, runs=1)])
    assert "no intervals: a single run" in curves.draw(curves.panels(table), "digits").get_supxlabel()
