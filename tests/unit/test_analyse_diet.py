"""Scores from less: agreement and accuracy side by side, by hand, and their figures."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.analyse import diet
from pipeline_lib.analyse.reliability import scored_by_seeds, split_half
from pipeline_lib.draw import grand_full, score_epoch, seeds, style, transfer
from pipeline_lib.errors import PipelineError
from pipeline_lib.rng import generator
from tests.unit.recordings import invented, score
from tests.unit.sweep_tables import EXAMPLES, classes, full, sweep

RISING = np.arange(20.0)
SWAPPED = RISING.copy()
SWAPPED[[0, 1]] = SWAPPED[[1, 0]]  # two neighbours out of 20: 1 - 6 * 2 / (20 * 399)
NEARLY = 1 - 12 / (20 * 399)
SAME = np.ones(20)
HALF = classes(sweep({0.5: [0.8, 0.9, 0.85]}), a=10)
NOTHING = pd.DataFrame(columns=["point", "balanced", "budget", "seed", "kept", "steps", "accuracy"])
BASELINES = {
    "random": classes(sweep({0.5: [0.7, 0.8, 0.9]}), a=10),
    "full": classes(full(0.9, 0.9, 0.9), a=20),
}


def test_rank_correlation_by_hand():
    assert diet.rank_correlation(RISING, SWAPPED) == pytest.approx(NEARLY)
    assert diet.rank_correlation(RISING, -RISING) == -1
    assert np.isnan(diet.rank_correlation(RISING, SAME))
    assert np.isnan(diet.rank_correlation(RISING, None))


def test_agreement_is_with_the_one_named_and_its_interval_holds_it():
    found = diet.agreement({"a": SWAPPED, "b": RISING, "c": SAME}, "b", 0)
    assert found["a"][0] == pytest.approx(NEARLY)
    assert found["a"][1] <= found["a"][0] <= found["a"][2] <= 1
    assert found["b"][0] == 1
    assert np.isnan(found["c"]).all()


def epochs_table(**changes):
    sweeps = {"el2n_at_0": HALF, "el2n": HALF, "flip_at_2": NOTHING, "flip": HALF, "input_norm": HALF} | BASELINES | changes
    names = [("el2n", 0, "el2n_at_0"), ("el2n", 4, "el2n"), ("flip", 2, "flip_at_2"), ("flip", 4, "flip")]
    scores = {"el2n_at_0": SWAPPED, "el2n": RISING, "flip_at_2": SAME, "flip": RISING}
    agreed = {"el2n_at_0": (0.2, 0.1, 0.3), "el2n": (0.9, 0.8, 0.95), "flip_at_2": (np.nan,) * 3, "flip": (0.5, 0.4, 0.6)}
    return diet.against_epoch(sweeps, names, scores, -RISING, agreed)


def test_epochs_by_hand():
    table = epochs_table().set_index(["metric", "epoch"])
    assert table.loc[("el2n", 0), list(diet.AGREEMENT)].tolist() == [0.2, 0.1, 0.3]
    assert table.loc[("el2n", 0), "with_own_final"].item() == pytest.approx(NEARLY)
    assert table.loc[("el2n", 4), "with_own_final"].item() == 1
    assert table.loc[("el2n", 4), "with_input_norm"].item() == -1
    assert table.loc[("el2n", 0), "accuracy_mean"].item() == pytest.approx(0.85)
    assert table.loc[("el2n", 0), "gain_mean"].item() == pytest.approx(0.05)
    assert list(dict.fromkeys(table.index.get_level_values(0))) == ["el2n", "flip", "input_norm", "random", "full"]


def test_a_score_without_any_order_is_one_row_that_says_so():
    rows = epochs_table().query("metric == 'flip' and epoch == 2")
    assert rows["note"].tolist() == [diet.SAME]
    assert rows[["agreement", "accuracy_mean", "point"]].isna().all(axis=None)


def scored_by(values):
    """A metric whose score is the mean of what its seeds would score."""
    return lambda chosen: np.mean([values[seed] for seed in chosen], axis=0)


def test_early_scores_are_set_against_the_final_ones_of_other_seeds():
    # two seeds: early, each knows its own end exactly; the two ends are opposite
    ends = [RISING, -RISING]
    names = [("m", 1, "m_at_1"), ("m", 5, "m")]
    found = diet.foretold({"m_at_1": scored_by(ends), "m": scored_by(ends)}, names, 2, 10, 0)
    assert found["m_at_1"] == (-1, -1, -1), "within one training it would be 1"
    # early, both know what the other one's end will be
    crossed = diet.foretold({"m_at_1": scored_by(ends[::-1]), "m": scored_by(ends)}, names, 2, 10, 0)
    assert crossed["m_at_1"] == (1, 1, 1)


def test_at_the_last_epoch_it_is_the_agreement_of_two_halves():
    by = scored_by_seeds(invented(), {"function": "el2n", "parameters": {"epoch": "last"}})
    found = diet.foretold({"m_at_1": by, "m": by}, [("m", 1, "m_at_1"), ("m", 3, "m")], 4, 10, 7)
    expected = split_half(by, 4, 10, generator(7, "split halves"))
    assert found["m"] == found["m_at_1"] == pytest.approx((expected.mean, expected.low, expected.high))


def test_one_seed_and_halves_too_small_foretell_nothing():
    by = scored_by_seeds(invented(), {"function": "std", "parameters": {}})
    assert np.isnan(diet.foretold({"m": by}, [("m", 3, "m")], 1, 10, 0)["m"]).all()
    assert np.isnan(diet.foretold({"m": by}, [("m", 3, "m")], 2, 10, 0)["m"]).all()


def test_seeds_by_hand():
    values = [RISING, RISING, RISING, -RISING]
    table = diet.subset_agreement({"m": scored_by(values)}, {"m": [1, 4]}, 4, 10, 0).set_index("number")
    # each alone with all: three agree, one does not; with the other three the same
    assert table.loc[1, ["whole_mean", "rest_mean"]].tolist() == pytest.approx([0.5, 0.5])
    assert table.loc[1, "subsets"] == 4
    assert table.loc[4, "whole_mean"] == 1
    assert np.isnan(table.loc[4, "rest_mean"])


def test_subsets_of_seeds_differ_and_as_many_as_possible_share_no_seed():
    drawn = diet._subsets(10, 3, 10, 0)
    assert len(set(drawn)) == 10
    assert all(len(set(chosen)) == 3 for chosen in drawn)
    assert len({seed for chosen in drawn[:3] for seed in chosen}) == 9
    assert diet._subsets(3, 2, 10, 0) != diet._subsets(3, 2, 2, 0)
    assert set(diet._subsets(3, 2, 50, 0)) == {(0, 1), (0, 2), (1, 2)}
    assert drawn == diet._subsets(10, 3, 10, 0)


def test_a_rest_too_small_for_the_metric_is_no_error_and_another_error_is():
    table = diet.subset_agreement(
        {"std": scored_by_seeds(invented(), {"function": "std", "parameters": {}})}, {"std": [3]}, 4, 5, 0
    )
    assert table["rest_mean"].isna().all()
    assert table["whole_mean"].notna().all()

    def broken(chosen):
        raise PipelineError("damaged")

    with pytest.raises(PipelineError, match="damaged"):
        diet.subset_agreement({"m": broken}, {"m": [2]}, 4, 5, 0)


def test_scores_by_seeds_are_those_of_the_part_of_the_ensemble():
    by = scored_by_seeds(invented(), {"function": "el2n", "parameters": {"epoch": "last", "until": 2, "seeds": 1}})
    assert np.array_equal(by([3, 1]), score("el2n", invented().until(2).subset([3, 1])))


def seeds_table():
    agreed = diet.subset_agreement({"el2n": scored_by([RISING, SWAPPED, RISING])}, {"el2n": [1, 2, 3]}, 3, 5, 0)
    sweeps = {"el2n_of_1": HALF, "el2n_of_2": HALF, "el2n": HALF} | BASELINES
    return diet.against_seeds(sweeps, [("el2n", 1, "el2n_of_1"), ("el2n", 2, "el2n_of_2"), ("el2n", 3, "el2n")], agreed, EXAMPLES)


def test_accuracy_stands_beside_the_agreement_of_seeds():
    table = seeds_table()
    assert table["number"].tolist()[:3] == [1, 2, 3]
    assert table["accuracy_mean"].tolist()[:3] == pytest.approx([0.85] * 3)
    assert table["rest_mean"].notna().tolist()[:3] == [True, True, False]


def transfer_table(**changes):
    scores = {"el2n": RISING, "el2n_from_wide": SWAPPED}
    sweeps = {"el2n": HALF, "el2n_from_wide": HALF} | BASELINES | changes
    return diet.transferred(sweeps, [("el2n", "own", "el2n"), ("el2n", "wide", "el2n_from_wide")], scores, 0)


def test_transfer_by_hand():
    table = transfer_table()
    assert table["scored_by"].tolist() == ["own", "wide", "", ""]
    assert table.loc[:1, ["with_own", "with_wide"]].to_numpy() == pytest.approx(np.array([[1, NEARLY], [NEARLY, 1]]))
    assert table["agreement"].tolist()[:2] == pytest.approx([1, NEARLY])


def gradient_table():
    scores = {epoch: {"grand_full": RISING, "grand": SWAPPED, "el2n": RISING, "input_norm": -RISING} for epoch in (0, 2)}
    return diet.gradients(scores, 0)


def test_gradients_by_hand():
    table = gradient_table()
    assert table["epoch"].tolist() == [0, 0, 0, 2, 2, 2]
    assert table["agreement"].tolist()[:3] == pytest.approx([NEARLY, 1, -1])


def texts(figure):
    axes = [each for each in figure.axes if each.get_visible()]
    return " | ".join([figure.get_suptitle(), figure.get_supxlabel(), *(each.get_title(loc="left") for each in axes)])


def test_the_figure_of_epochs_says_what_was_left_out_and_what_untrained_scores_must_beat(tmp_path):
    figure = score_epoch.draw(epochs_table(), "digits", 10)
    assert "left out, as every example had the same score: flip at 2" in texts(figure)
    assert "rank correlation is: el2n -1.00" in texts(figure).replace("−", "-")
    assert "without the easiest 50% | agreement with others' final score" in texts(figure)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["0\nuntrained", "2", "4\nlast"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert set(labels) == {"by el2n", "by flip", "random", "all data", "by the input norm"}
    style.save(figure, tmp_path / "x.png")


def test_a_point_that_lacks_a_class_is_hollow():
    lacking = HALF.assign(kept_a=0)
    [axes, _] = score_epoch.draw(epochs_table(el2n_at_0=lacking), "digits", 10).axes
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert len(hollow) == 1
    assert "hollow: a class has no example left" in texts(axes.figure)
    assert "hollow" not in texts(score_epoch.draw(epochs_table(), "digits", 10))


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda: seeds.draw(seeds_table(), "digits"), "agreement with the seeds left out | agreement with all seeds"),
        (
            lambda: transfer.draw(transfer_table(), "digits"),
            "rank correlation of el2n\nbetween the ensembles | without the easiest",
        ),
        (lambda: transfer.draw(transfer_table(el2n_from_wide=NOTHING), "digits"), "same score: el2n of wide"),
        (
            lambda: grand_full.draw(gradient_table(), "digits", ["fc"], 20),
            "gradients of the layers fc, mean over seeds, 20 training",
        ),
    ],
)
def test_figures_can_be_drawn_and_say_what_they_show(tmp_path, draw, says):
    figure = draw()
    assert says in texts(figure)
    style.save(figure, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 10_000


def test_variants_have_panels_of_their_own():
    several = pd.concat([HALF, classes(sweep({0.5: [0.8, 0.9, 0.85]}, balanced=True), a=10)])
    both = pd.concat([BASELINES["random"], BASELINES["random"].assign(balanced=True)])
    figure = transfer.draw(transfer_table(el2n=several, el2n_from_wide=several, random=both), "digits")
    assert "50%, no class balancing | without the easiest 50%, the same share of every class" in texts(figure)


def test_a_sweep_without_trainings_is_a_table_that_can_be_read_again(tmp_path):
    from types import SimpleNamespace

    from pipeline_lib import storage
    from pipeline_lib.analyse.sweeps import read_sweeps
    from pipeline_lib.prune.sweep import sweep as carry_out

    table = carry_out(SimpleNamespace(dataset=SimpleNamespace(class_names=["a"])), [], "nothing")
    storage.write_csv(tmp_path / "flip_at_2.csv", table, origin="x")
    with pytest.raises(PipelineError, match="has no row"):
        read_sweeps({"flip_at_2": tmp_path / "flip_at_2.csv"})
    read = read_sweeps({"flip_at_2": tmp_path / "flip_at_2.csv"}, empty=True)
    assert len(read["flip_at_2"]) == 0
    assert epochs_table(**read).query("metric == 'flip'")["note"].tolist() == [diet.SAME, ""]
