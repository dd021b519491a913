"""From runs to tables by hand: gains are paired by seed, random runs without a point stand for all points."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import storage
from pipeline_lib.analyse import sweeps
from pipeline_lib.analyse.statistics import mean_interval, share_interval
from pipeline_lib.errors import PipelineError

NAN = float("nan")


def runs(*rows, balanced=False, budget="epochs", kept=40, **columns):
    """Rows of a sweep file from (point, seed, accuracy)."""
    table = pd.DataFrame(rows, columns=["point", "seed", "accuracy"])
    return table.assign(balanced=balanced, budget=budget, kept=kept, **columns)


@pytest.fixture
def windows():
    """A sliding window: the random runs are of no start."""
    return {
        "el2n": runs((0.1, 0, 0.8), (0, 1, 0.7), (0, 0, 0.5), (0.1, 1, 0.9)),
        "random": runs((NAN, 1, 0.8), (NAN, 0, 0.6)),
        "full": runs((NAN, 0, 0.9), (NAN, 1, 0.9), kept=100),
    }


def test_one_row_per_metric_and_point_and_baselines_without_point(windows):
    table = sweeps.summarise(windows, 100)
    assert tuple(table.columns) == sweeps.COLUMNS
    assert table["metric"].tolist() == ["el2n", "el2n", "random", "full"]
    assert table["point"].tolist()[:2] == [0, 0.1]
    assert table["point"].isna().tolist() == [False, False, True, True]
    assert table["kept_share"].tolist() == [0.4, 0.4, 0.4, 1.0]
    assert table["runs"].tolist() == [2] * 4
    assert table["accuracy_mean"].tolist() == pytest.approx([0.6, 0.85, 0.7, 0.9])
    expected = [share_interval(np.array(values)) for values in ([0.5, 0.7], [0.8, 0.9], [0.6, 0.8], [0.9, 0.9])]
    assert table[["accuracy_mean", "accuracy_low", "accuracy_high"]].to_numpy() == pytest.approx(np.array(expected), nan_ok=True)


def test_random_drawn_anew_gains_over_random_that_stays(windows):
    windows["repeated_random"] = runs((NAN, 0, 0.7), (NAN, 1, 0.8))
    table = sweeps.summarise(windows, 100).set_index("metric")
    found = table.loc["repeated_random", ["gain_mean", "gain_low", "gain_high"]].tolist()
    assert found == pytest.approx(mean_interval(np.array([0.1, 0.0])))


def test_gains_are_paired_by_seed_whatever_the_order_of_the_rows(windows):
    table = sweeps.summarise(windows, 100)
    # seed 0: 0.5 - 0.6, seed 1: 0.7 - 0.8, so there is no interval; unpaired it would be as wide as the accuracies'
    assert table.loc[0, ["gain_mean", "gain_low", "gain_high"]].tolist() == pytest.approx([-0.1, NAN, NAN], nan_ok=True)
    assert table.loc[1, ["gain_mean", "gain_low", "gain_high"]].tolist() == pytest.approx(mean_interval(np.array([0.2, 0.1])))
    assert table.loc[2:, ["gain_mean", "gain_low", "gain_high"]].isna().all(axis=None), "baselines gain nothing"


def test_a_seed_that_random_lacks_counts_for_the_accuracy_only(windows):
    windows["random"] = windows["random"].query("seed == 1")
    table = sweeps.summarise(windows, 100)
    assert table["runs"].tolist() == [2, 2, 1, 2]
    assert table.loc[0, "gain_mean"] == pytest.approx(-0.1)
    assert table.loc[0, ["gain_low", "gain_high"]].isna().all()
    del windows["random"]
    assert sweeps.summarise(windows, 100)["gain_mean"].isna().all()


def test_at_every_share_random_has_its_own_runs():
    tables = {
        "el2n": runs((0.3, 0, 0.9), (0.5, 0, 0.8), (0.7, 0, 0.5)),
        "random": runs((0.5, 0, 0.6), (0.3, 0, 0.85)),
    }
    gains = sweeps.summarise(tables, 100).set_index(["metric", "point"])["gain_mean"]
    assert gains["el2n"].to_dict() == {0.3: pytest.approx(0.05), 0.5: pytest.approx(0.2), 0.7: pytest.approx(NAN, nan_ok=True)}


def test_a_variant_is_compared_with_random_of_the_same_variant():
    variants = [(balanced, budget) for balanced in (False, True) for budget in ("epochs", "steps")]
    tables = {
        "el2n": pd.concat(runs((0.5, 0, 0.8), balanced=balanced, budget=budget) for balanced, budget in variants),
        "random": pd.concat(
            runs((0.5, 0, 0.1 * place), balanced=balanced, budget=budget) for place, (balanced, budget) in enumerate(variants)
        ),
        "full": runs((NAN, 0, 0.9), kept=100),
    }
    table = sweeps.summarise(tables, 100)
    own = table[table["metric"] == "el2n"]
    assert own[["balanced", "budget"]].to_numpy().tolist() == [list(variant) for variant in variants]
    assert own["gain_mean"].tolist() == pytest.approx([0.8, 0.7, 0.6, 0.5])
    assert (table["metric"] == "full").sum() == 1


def test_the_ends_of_a_curriculum_are_points_in_words():
    tables = {
        "el2n": runs(("hardest", 0, 0.9), ("easiest", 0, 0.7), budget="steps", kept=100),
        "random": runs((NAN, 0, 0.8), budget="steps", kept=100),
        "full": runs((NAN, 0, 0.85), kept=100),
    }
    table = sweeps.summarise(tables, 100)
    assert table["point"].tolist()[:2] == ["easiest", "hardest"]
    assert table["gain_mean"].tolist()[:2] == pytest.approx([-0.1, 0.1])
    assert table["kept_share"].tolist() == [1] * 4


def test_classes_without_an_example_are_counted_in_the_worst_run():
    tables = {
        "el2n": runs((0.5, 0, 0.8), (0.5, 1, 0.8), kept_cat=[0, 2], kept_dog=[0, 4], kept_eel=[10, 6], kept_fox=0),
        "full": runs((NAN, 0, 0.9), kept=100, kept_cat=10, kept_dog=10, kept_eel=10, kept_fox=0),
    }
    own, full = sweeps.summarise(tables, 30).to_dict("records")
    assert own["classes_missing"] == 2, "cat and dog in seed 0; fox is not even in the whole training set"
    assert (own["kept_min"], own["kept_max"]) == pytest.approx((0.1, 0.8)), "means over the runs: cat 1 of 10, eel 8 of 10"
    assert (full["classes_missing"], full["kept_min"], full["kept_max"]) == (0, 1, 1)
    [own] = sweeps.summarise({"el2n": tables["el2n"]}, 30).to_dict("records")
    assert own["classes_missing"] == 3, "without all data every class counts"
    assert np.isnan(own["kept_min"])


def test_a_table_made_of_files_is_that_of_the_runs(windows, tmp_path):
    files = {metric: tmp_path / f"{metric}.csv" for metric in windows}
    for metric, path in files.items():
        storage.write_csv(path, windows[metric])
    pd.testing.assert_frame_equal(sweeps.summarise(sweeps.read_sweeps(files), 100), sweeps.summarise(windows, 100))


def test_a_file_that_is_no_sweep_is_refused(windows, tmp_path):
    storage.write_csv(tmp_path / "el2n.csv", windows["el2n"].drop(columns="kept"))
    with pytest.raises(PipelineError, match=r"el2n\.csv.*kept"):
        sweeps.read_sweeps({"el2n": tmp_path / "el2n.csv"})


def test_a_curve_has_a_row_for_every_epoch():
    tables = {
        "el2n": runs((0.5, 0, 0.6), (0.5, 1, 0.8), epoch_1=[0.2, 0.4], epoch_2=[0.6, 0.8]),
        "full": runs((NAN, 0, 0.9), epoch_1=0.5, epoch_2=0.9),
    }
    table = sweeps.curves(tables)
    assert tuple(table.columns) == sweeps.CURVE_COLUMNS
    assert table[["metric", "epoch", "runs"]].to_numpy().tolist() == [
        ["el2n", 1, 2],
        ["el2n", 2, 2],
        ["full", 1, 1],
        ["full", 2, 1],
    ]
    assert table["accuracy_mean"].tolist() == pytest.approx([0.3, 0.7, 0.5, 0.9])
    assert table.loc[0, ["accuracy_low", "accuracy_high"]].tolist() == pytest.approx(share_interval(np.array([0.2, 0.4]))[1:])
    assert table.loc[2:, ["accuracy_low", "accuracy_high"]].isna().all(axis=None)


def test_gains_of_a_curve_are_paired_by_seed_after_the_same_epoch():
    tables = {
        "el2n": runs((0.5, 0, 0.6), (0.5, 1, 0.8), epoch_1=[0.2, 0.4], epoch_2=[0.6, 0.8]),
        "random": runs((0.5, 1, 0.7), (0.5, 0, 0.6), epoch_1=[0.3, 0.1], epoch_2=[0.7, 0.6]),
    }
    table = sweeps.curves(tables)
    gains = table[["gain_mean", "gain_low", "gain_high"]]
    assert gains.loc[0].tolist() == pytest.approx([0.1, NAN, NAN], nan_ok=True), "both seeds gain a tenth"
    assert gains.loc[1].tolist() == pytest.approx(mean_interval(np.array([0, 0.1])))
    assert gains.loc[2:].isna().all(axis=None), "baselines gain nothing"
    assert table["kept_share"].isna().all(), "the size of the whole training set is not known without all data"


def test_a_curve_tells_on_how_much_of_the_data_an_epoch_trained():
    epochs = {"epoch_1": 0.5, "epoch_2": 0.6}
    tables = {"el2n": runs(("easiest", 0, 0.6), kept=40, **epochs), "full": runs((NAN, 0, 0.9), kept=100, **epochs)}
    assert sweeps.curves(tables)["kept_share"].tolist() == [0.4, 0.4, 1, 1]
    assert sweeps.curves(tables, [0.5, 1.0])["kept_share"].tolist() == [0.5, 1, 1, 1], "a curriculum grows, all data do not"


def test_the_number_of_clusters_is_read_from_the_clustering(tmp_path):
    storage.write_h5(tmp_path / "prototypes-elbow.h5", {}, {"clusters": 17})
    assert sweeps.read_cluster_counts({"km_elbow": tmp_path / "prototypes-elbow.h5"}) == {"km_elbow": 17}
    with pytest.raises(PipelineError, match=r"prototypes-5\.h5"):
        sweeps.read_cluster_counts({"km_5": tmp_path / "prototypes-5.h5"})


def test_epochs_stay_in_their_order_beyond_the_ninth():
    epochs = {f"epoch_{number}": number / 100 for number in range(1, 13)}
    table = sweeps.curves({"el2n": runs((0.5, 0, 0.12), **epochs)})
    assert table["accuracy_mean"].tolist() == pytest.approx(list(epochs.values()))
    assert table["epoch"].tolist() == list(range(1, 13))
