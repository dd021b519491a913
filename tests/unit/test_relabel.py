"""Leaving doubted labels out: who doubts, what is kept, and what it gains."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import demand, storage
from pipeline_lib.analyse.relabel import ALL_DATA, COLUMNS, summarise
from pipeline_lib.config import Recipe, plain
from pipeline_lib.config.labels import Relabel
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import flags, plan, sizes

LABELS = np.array([0, 1, 0, 1, 0])


def dataset(true=(0, 1, 1, 1, 0)) -> Dataset:
    images = np.zeros((5, 1, 8, 8), np.uint8)
    true = None if true is None else np.array(true)
    return Dataset(images, LABELS, images, LABELS, ["a", "b"], [""] * 5, true)


def table(path, column, doubted):
    storage.write_csv(path, pd.DataFrame({"index": range(len(doubted)), column: doubted}))
    return path


def test_each_doubts_in_its_own_words(tmp_path):
    by_lead = table(tmp_path / "belief.csv", "likely_mislabelled", [True, False, False, False, True])
    by_cut_off = table(tmp_path / "threshold_votes.csv", "below_threshold", [False, True, False, False, False])
    assert flags.read("lead", by_lead, dataset(), "x").tolist() == [True, False, False, False, True]
    assert flags.read("threshold", by_cut_off, dataset(), "x").tolist() == [False, True, False, False, False]
    assert flags.read("truth", None, dataset(), "x").tolist() == [False, False, True, False, False]


def test_what_cannot_be_compared_is_refused(tmp_path):
    nobody = table(tmp_path / "a.csv", "likely_mislabelled", [False] * 5)
    with pytest.raises(
        PipelineError, match=r"^relabel of x by lead: no label is doubted.* Leave lead out of `experiments.relabel.by`"
    ):
        flags.read("lead", nobody, dataset(), "relabel of x by lead")
    with pytest.raises(PipelineError, match="every label is doubted"):
        flags.read("lead", table(tmp_path / "b.csv", "likely_mislabelled", [True] * 5), dataset(), "x")
    with pytest.raises(PipelineError, match="the true labels are not known. Leave `truth` out"):
        flags.read("truth", None, dataset(true=None), "x")
    with pytest.raises(PipelineError, match="4 rows for 5 examples"):
        flags.read("lead", table(tmp_path / "c.csv", "likely_mislabelled", [True, False] * 2), dataset(), "x")


def runs(point, accuracies, kept):
    return pd.DataFrame({"point": point, "seed": range(len(accuracies)), "kept": kept, "accuracy": accuracies})


def test_gains_are_paired_by_seed():
    doubted = pd.concat([runs(flags.WITHOUT, [0.9, 0.94], 80), runs(flags.AT_RANDOM, [0.8, 0.82], 80)])
    found = summarise({"lead": doubted, "full": runs(np.nan, [0.7, 0.75], 100)})
    assert tuple(found.columns) == COLUMNS
    assert found["point"].tolist() == [ALL_DATA, flags.WITHOUT, flags.AT_RANDOM]
    assert found["left_out"].tolist() == [0, 20, 20]
    assert found["accuracy_mean"].tolist() == pytest.approx([0.725, 0.92, 0.81])
    assert found["gain_mean"].tolist()[1:] == pytest.approx([0.195, 0.085])
    assert found["over_random_mean"].tolist()[1] == pytest.approx(0.11)
    assert np.isnan(found["gain_mean"][0])
    assert np.isnan(found["over_random_mean"][2])
    half = 12.706204736 * 0.01 / 2**0.5  # t of one degree of freedom, times the standard deviation of .2 and .19 over sqrt 2
    assert found["gain_high"][1] - found["gain_mean"][1] == pytest.approx(half * np.std([20, 19], ddof=1))


RECIPE = {"model": "small_cnn", "optimiser": {"name": "sgd", "lr": 0.1}, "schedule": {"name": "constant"}, "epochs": 3, "batch": 2}


def planned(doubted, **changes):
    settings = plain(Relabel.model_validate({"seeds": 2} | changes))
    score = np.array(doubted, dtype=float)
    return plan.plan("relabel", "lead", score, settings, Recipe.model_validate(RECIPE), dataset(), 0, "relabel of x by lead")


def test_the_doubted_are_left_out_and_as_many_others_at_random():
    runs = planned([0, 0, 0, 1, 0])
    kept = {(run.point, run.seed): run.kept.tolist() for run in runs}
    assert kept.keys() == {(point, seed) for point in (flags.WITHOUT, flags.AT_RANDOM) for seed in (0, 1)}
    assert kept[flags.WITHOUT, 0] == kept[flags.WITHOUT, 1] == [0, 1, 2, 4]
    for seed in (0, 1):
        assert len(set(kept[flags.AT_RANDOM, seed])) == 4
        assert kept[flags.AT_RANDOM, seed] == sorted(kept[flags.AT_RANDOM, seed])
    assert [run.kept.tolist() for run in planned([0, 0, 0, 1, 0])] == [run.kept.tolist() for run in runs]


def test_a_class_that_loses_all_its_labels_is_refused():
    with pytest.raises(PipelineError, match="no example of class b is left among 3 kept"):
        planned([0, 1, 0, 1, 0])


def test_a_sweep_takes_as_long_as_two_trainings_on_all_data_at_most():
    settings = plain(Relabel(seeds=4))
    assert demand.passes("relabel", "lead", settings, 10) == 10 * 4 * 2
    sizes.check("relabel", settings, 10, 10**6, 100, "x")  # how many are left is only known later
