"""Groups of neighbours, barriers and velocities by hand, and their figures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from pipeline_lib import storage
from pipeline_lib.analyse import landscape
from pipeline_lib.analyse.landscape import barrier
from pipeline_lib.analyse.statistics import mean_interval
from pipeline_lib.draw import connectivity, velocity
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import groups
from pipeline_lib.prune.groups import THIRDS, neighbours, percentile


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


ORDER = np.array([7, 2, 9, 0, 4, 1, 8, 3, 6, 5])


@pytest.mark.parametrize(
    ("place", "expected"), [(0, [7, 2, 9]), (1, [3, 6, 5]), (0.5, [4, 1, 8]), (0.2, [2, 9, 0]), (0.57, [4, 1, 8])]
)
def test_neighbours_by_hand(place, expected):
    assert neighbours(ORDER, 3, place).tolist() == expected


def test_thirds_of_the_largest_size_share_nothing():
    easiest, middle, hardest = (neighbours(ORDER, 3, place).tolist() for place in THIRDS.values())
    assert len({*easiest, *middle, *hardest}) == 9


def test_one_group_may_be_everything():
    assert neighbours(ORDER, 10, 0.3).tolist() == ORDER.tolist()


@pytest.mark.parametrize(("place", "expected"), [(0, 15), (1, 85), (0.5, 55)])
def test_the_percentile_is_that_of_the_middle(place, expected):
    assert percentile(place, 3, 10) == pytest.approx(expected)


@pytest.mark.parametrize(("experiment", "most"), [("connectivity", 33), ("kernel_velocity", 100)])
def test_groups_fit_the_training_set(experiment, most):
    groups.check(experiment, {"examples": most}, 100, "key")
    with pytest.raises(PipelineError, match=rf"^key\.examples: should be at most {most} for the 100 training examples, not"):
        groups.check(experiment, {"examples": most + 1}, 100, "key")


# ---------------------------------------------------------------------------------------------------------------------
# barriers


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([0, 0, 0, 0, 0], 0),
        ([1, 2, 3, 4, 5], 0),  # rises with the chord
        ([5, 4, 3, 2, 1], 0),
        ([1, 0, -1, 0, 1], 0),  # below it
        ([0, 1, 4, 1, 0], 4),
        ([0, 1, 3, 3, 4], 1),  # highest above the chord in the middle, where it is 2
        ([2, 5, 4, 3, 0], 3.5),  # the chord is at 1.5 after a quarter
    ],
)
def test_a_barrier_by_hand(line, expected):
    assert barrier(np.array(line, dtype=float)) == pytest.approx(expected)


def test_the_barrier_of_a_parabola_is_its_height():
    share = np.linspace(0, 1, 11)
    assert barrier(3 * 4 * share * (1 - share)) == pytest.approx(3)
    assert barrier(7 - 2 * share + 3 * 4 * share * (1 - share)) == pytest.approx(3), "what is linear does not count"


def test_a_barrier_is_never_negative_and_the_same_from_both_ends():
    lines = np.random.default_rng(0).normal(size=(50, 7))
    assert (barrier(lines) >= 0).all()
    np.testing.assert_allclose(barrier(lines), barrier(lines[:, ::-1]))


def connectivity_table(runs=4):
    rng = np.random.default_rng(0)
    values = rng.random((2, runs, 3, 5, 3))
    return values, landscape.connectivity(values[0], values[1], [0, 1, 4], list(THIRDS))


def test_every_barrier_and_place_has_its_interval():
    (loss, error), table = connectivity_table()
    assert len(table) == 2 * 3 * 3 * (1 + 5 + 5)
    for name, values in (("loss", loss), ("error", error)):
        for place, epoch in enumerate((0, 1, 4)):
            for number, group in enumerate(THIRDS):
                rows = table[(table["epoch"] == epoch) & (table["group"] == group)]
                [row] = rows[rows["measure"] == f"{name} barrier"].to_dict("records")
                mean, low, high = mean_interval(barrier(values[:, place, :, number]))
                assert (row["mean"], row["low"], row["high"]) == pytest.approx((mean, max(low, 0), high))
                assert row["runs"] == 4
                line = rows[rows["measure"] == name]
                assert line["share"].tolist() == [0, 0.25, 0.5, 0.75, 1]
                np.testing.assert_allclose(line["mean"], values[:, place, :, number].mean(axis=0))
                above = rows[rows["measure"] == f"{name} above chord"]
                expected = landscape.above_chord(values[:, place, :, number]).mean(axis=0)
                np.testing.assert_allclose(above["mean"], expected, atol=1e-12)
                assert above["low"].min() < 0, "not cut off"


def test_a_single_pair_has_no_interval():
    _, table = connectivity_table(runs=1)
    assert table["low"].isna().all()
    assert table["high"].isna().all()


# ---------------------------------------------------------------------------------------------------------------------
# velocities


def test_velocities_by_hand():
    values = np.array([[[0.1, 0.3]], [[0.3, 0.9]]])  # the second training is three times as fast
    table = landscape.velocities(values, [2], [10, 90])
    assert table["epoch"].tolist() == [2, 2]
    assert table["percentile"].tolist() == [10, 90]
    np.testing.assert_allclose(table["mean"], [0.2, 0.6])
    np.testing.assert_allclose(table[["low", "high"]].iloc[1], [0, mean_interval([0.3, 0.9])[2]])
    np.testing.assert_allclose(table["relative_mean"], [0.5, 1.5])
    assert table[["relative_low", "relative_high"]].isna().all(axis=None), "what the trainings differ in cancels: they are equal"
    assert table["runs"].tolist() == [2, 2]


# ---------------------------------------------------------------------------------------------------------------------
# files


def written(path, values, dataset="same"):
    storage.write_h5(path, {"velocity": np.array(values)}, {"dataset": dataset})
    return path


def test_files_are_stacked_in_order(tmp_path):
    paths = [written(tmp_path / f"{number}.h5", [[number, 0.5]]) for number in (3.0, 1.0)]
    assert landscape.read(paths, "velocity", (1, 2), "same", "rule").tolist() == [[[3, 0.5]], [[1, 0.5]]]


@pytest.mark.parametrize(
    ("values", "dataset", "words"),
    [
        ([[0.1, 0.2]], "other", "was made for another data set"),
        ([[0.1]], "same", r"has velocity of shape \(1, 1\), not \(1, 2\)"),
        ([[0.1, np.nan]], "same", "holds values of velocity that are not finite"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, values, dataset, words):
    path = written(tmp_path / "seed0.h5", values, dataset)
    with pytest.raises(PipelineError, match=words):
        landscape.read([path], "velocity", (1, 2), "same", "rule")


# ---------------------------------------------------------------------------------------------------------------------
# figures


def lines_of(axes):
    return {line.get_label(): line.get_ydata() for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_the_figure_of_barriers_draws_the_table():
    _, table = connectivity_table()
    figure = connectivity.draw(table, "pets", "el2n", 50)
    for axes, measure, unit in zip(figure.axes, ("loss barrier", "error barrier"), (1, 100), strict=False):
        drawn = lines_of(axes)
        assert list(drawn) == list(THIRDS)
        for group, values in drawn.items():
            rows = table[(table["measure"] == measure) & (table["group"] == group)]
            np.testing.assert_allclose(values, unit * rows["mean"])
    assert "95% t-interval" in figure._supxlabel.get_text()


def hills(*heights):
    """Lines of three pairs with hills of these heights on the hardest examples, one per epoch, and none on the others."""
    share = np.linspace(0, 1, 5)
    hill = np.array(heights)[:, None] * 4 * share * (1 - share)
    values = np.stack([0 * hill, 0.25 + 0 * hill, 2 + hill], axis=-1) * np.array([1, 1.5, 2]).reshape(3, 1, 1, 1)
    return landscape.connectivity(values, values, [0, 1, 4], list(THIRDS))


@pytest.mark.parametrize(
    ("heights", "titles"),
    [
        ((1, 0.1, 0.01), ["branched before the first step", "branched after epoch 1, no barrier later"]),
        ((1, 0.5, 0.1), ["branched before the first step", "branched after epoch 4"]),
        ((1, 0.01, 0), ["branched before the first step, no barrier later"]),
        ((0, 0, 0), ["branched before the first step, no barrier at any epoch"]),
    ],
)
def test_the_lines_are_those_of_the_first_epoch_and_of_the_last_with_a_barrier(heights, titles):
    figure = connectivity.draw(hills(*heights), "pets", "el2n", 50)
    below = figure.axes[2:]
    assert [axes.get_title(loc="left") for axes in below] == titles
    tops = [max(axes.get_lines()[2].get_ydata()) for axes in below]
    assert tops[0] == pytest.approx(1.5 * heights[0]), "above the chord, whatever the loss at both ends"
    assert tops[-1] >= 0.05 * tops[0]
    assert "two runs that branch" in figure.get_suptitle()


def test_barriers_that_are_equal_in_all_pairs_are_hollow():
    figure = connectivity.draw(hills(1, 0.5, 0.1), "pets", "el2n", 50)
    hollow = {line.get_color(): len(line.get_xdata()) for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"}
    assert hollow == {connectivity.LOOKS[group][0]: (0 if group == "hardest" else 3) for group in THIRDS}
    assert "hollow: all are equal, no interval" in figure.get_supxlabel()


def test_the_figure_of_barriers_takes_one_epoch_and_one_pair():
    values = np.random.default_rng(0).random((1, 1, 5, 3))
    figure = connectivity.draw(landscape.connectivity(values, values, [2], list(THIRDS)), "pets", "el2n", 50)
    figure.canvas.draw()
    assert "no intervals" in figure._supxlabel.get_text()


def test_the_figure_of_velocities_draws_the_table():
    table = landscape.velocities(np.random.default_rng(0).random((3, 2, 4)), [0, 5], [10, 40, 60, 90])
    figure = velocity.draw(table, "pets", "el2n", 50)
    for axes, column in zip(figure.axes, ("mean", "relative_mean"), strict=True):
        drawn = lines_of(axes)
        for epoch in (0, 5):
            np.testing.assert_allclose(drawn[f"{epoch} to {epoch + 1}"], table.loc[table["epoch"] == epoch, column])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["velocity of each group", "each group relative to the mean of the groups"]
