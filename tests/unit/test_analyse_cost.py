"""The cost ledger by hand."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import metrics, storage
from pipeline_lib.analyse.cost import COLUMNS, PRICES, SPEED_COLUMNS, accounts, ledger, price, runs_of, speeds
from pipeline_lib.analyse.statistics import mean_interval, share_interval
from pipeline_lib.dynamics import Dynamics
from pipeline_lib.errors import PipelineError
from tests.unit import recordings
from tests.unit.sweep_tables import FULL_FLOPS, FULL_SECONDS, full, sweep

SCORING = pd.DataFrame(
    {
        "metric": ["el2n", "km"],
        **dict.fromkeys(PRICES, 0.0),
        "ensemble_seconds": [30.0, 0.0],
        "ensemble_flops": [4 * FULL_FLOPS, 0.0],
        "features_seconds": [0.0, 40.0],
        "clusters_seconds": [0.0, 10.0],
    }
)


def sweeps():
    both = pd.concat([sweep({0.5: [0.8, 0.9], 0.2: [0.9, 0.9]}), sweep({0.5: [0.85, 0.87]}, budget="steps")])
    return {"random": sweep({0.5: [0.7, 0.8]}), "el2n": both, "km": sweep({0.5: [0.6, 0.6]}), "full": full(0.9, 0.92)}


def row(table, metric, point, budget="epochs"):
    here = (table["metric"] == metric) & (table["budget"] == budget)
    [found] = table[here & (table["point"].isna() if np.isnan(point) else table["point"] == point)].to_dict("records")
    return found


def test_by_hand():
    table = ledger(sweeps(), SCORING)
    assert tuple(table.columns) == COLUMNS
    half = row(table, "el2n", 0.5)
    assert (half["kept_share"], half["runs"]) == (0.5, 2)
    assert (half["accuracy_mean"], half["accuracy_low"], half["accuracy_high"]) == pytest.approx(share_interval([0.8, 0.9]))
    assert (half["training_seconds"], half["training_flops"]) == (FULL_SECONDS / 2, FULL_FLOPS / 2)
    assert (half["total_seconds"], half["total_flops"]) == (35, 4.5 * FULL_FLOPS)
    assert half["relative_cost"] == 4.5
    differences = [half[f"over_full_{end}"] for end in ("mean", "low", "high")]
    assert differences == pytest.approx(mean_interval([-0.1, -0.02])), "0.8 and 0.9 less 0.9 and 0.92"
    assert half["trainings_to_break_even"] == 8  # each saves half a training, the scoring cost four


def test_the_scoring_is_the_sum_of_its_sources_which_stand_beside_it():
    table = ledger(sweeps(), SCORING)
    km = row(table, "km", 0.5)
    assert (km["scoring_seconds"], km["features_seconds"], km["clusters_seconds"], km["ensemble_seconds"]) == (50, 40, 10, 0)
    for unit in ("seconds", "flops"):
        parts = [f"{source}_{unit}" for source in ("ensemble", "features", "clusters")]
        assert table[parts].sum(axis=1).tolist() == table[f"scoring_{unit}"].tolist()


def test_prices_are_told_by_source_and_hold_the_recording(tmp_path):
    ensemble = [tmp_path / "dynamics" / f"seed{seed}.h5" for seed in range(2)]
    for path in ensemble:
        spent = {"seconds": 1.0, "flops": 10.0, "recording_seconds": 0.5, "recording_flops": 5.0}
        storage.write_h5(path, {"logits": np.zeros((4, 2, 2))}, spent)
    features, clusters = tmp_path / "features" / "swav.h5", tmp_path / "clusters" / "prototypes-5.h5"
    storage.write_h5(features, {}, {"seconds": 7.0, "flops": 70.0})
    storage.write_h5(clusters, {}, {"seconds": 0.1, "flops": 2.0})
    nothing = dict.fromkeys(PRICES, 0.0)
    assert price(ensemble) == nothing | {"ensemble_seconds": 2.8, "ensemble_flops": 28}, "four of five passes; none untrained"
    used = {"features_seconds": 7, "features_flops": 70, "clusters_seconds": 0.1, "clusters_flops": 2}
    assert price([features, clusters]) == nothing | used
    assert price([]) == nothing


def test_a_metric_pays_for_what_it_reads_of_the_ensemble_alone(tmp_path):
    ensemble = [tmp_path / "dynamics" / f"seed{seed}.h5" for seed in range(3)]
    spent = {"seconds": 4.0, "flops": 40.0, "recording_seconds": 1.0, "recording_flops": 10.0}
    whole = {"grand_full_seconds": 6.0, "grand_full_flops": 60.0}
    for path in ensemble:
        storage.write_h5(path, {"logits": np.zeros((4, 2, 2)), "grand_full_epochs": np.arange(3)}, spent | whole)
    assert price(ensemble)["ensemble_flops"] == 3 * 48, "four of five passes: nobody looks at the untrained networks"
    assert price(ensemble, seeds=2)["ensemble_flops"] == 2 * 48
    assert price(ensemble, epochs=2)["ensemble_flops"] == 3 * (20 + 4), "half of the epochs, two passes"
    assert price(ensemble, epochs=0)["ensemble_flops"] == 3 * 2, "untrained networks: one pass"
    assert price(ensemble, epochs=9)["ensemble_flops"] == 3 * 48
    assert price(ensemble, passes=1)["ensemble_flops"] == 3 * 42, "the last epoch alone"
    assert price(ensemble, epochs=2, passes=1)["ensemble_flops"] == 3 * (20 + 2)
    whole = price(ensemble, passes=0, whole_gradient=True)
    assert whole["ensemble_seconds"] == 3 * (4 + 2), "its own passes, at one of the three epochs"


def test_at_break_even_both_ways_cost_the_same():
    for found in ledger(sweeps(), SCORING).to_dict("records"):
        trainings = found["trainings_to_break_even"]
        if np.isfinite(trainings):
            assert found["scoring_flops"] + trainings * found["training_flops"] == pytest.approx(trainings * FULL_FLOPS)


def test_baselines_need_no_scoring():
    table = ledger(sweeps() | {"repeated_random": sweeps()["random"]}, SCORING)
    anew = row(table, "repeated_random", 0.5)
    assert (anew["scoring_flops"], anew["relative_cost"], anew["trainings_to_break_even"]) == (0, 0.5, 0)
    random, everything = row(table, "random", 0.5), row(table, "full", float("nan"))
    assert (random["scoring_flops"], random["relative_cost"], random["trainings_to_break_even"]) == (0, 0.5, 0)
    assert (everything["kept_share"], everything["relative_cost"]) == (1, 1)
    assert everything["trainings_to_break_even"] == np.inf  # nothing is saved


def test_as_many_steps_as_on_all_data_never_pay():
    assert row(ledger(sweeps(), SCORING), "el2n", 0.5, "steps")["trainings_to_break_even"] == np.inf


def test_scores_that_cost_nothing_pay_at_once():
    assert row(ledger(sweeps(), SCORING), "km", 0.5)["trainings_to_break_even"] == 0


def test_what_is_missing_is_named():
    with pytest.raises(PipelineError, match="baseline full"):
        ledger({"el2n": sweeps()["el2n"]}, SCORING)
    with pytest.raises(PipelineError, match="no cost of scoring is given for flip; known: el2n, km"):
        ledger(sweeps() | {"flip": sweeps()["km"]}, SCORING)


def account(images, data, compute, evaluation, files, peak, flops=0.0):
    names = ("data_seconds", "compute_seconds", "evaluation_seconds", "io_seconds")
    seconds = dict(zip(names, (data, compute, evaluation, files), strict=True))
    return {"images": images, "flops": flops, **seconds, "peak_flops_per_second": peak}


def test_speeds_by_hand():
    rows = [
        {"what": "ensemble", **account(100, 1, 1, 2, 0, peak=4e12, flops=2e12)},
        {"what": "ensemble", **account(100, 0, 2, 1, 1, peak=2e12, flops=4e12)},
        {"what": "SwAV", **account(10, 0, 1, 0, 0, peak=1e12, flops=1e12)},
    ]
    table = speeds(pd.DataFrame(rows))
    assert tuple(table.columns) == SPEED_COLUMNS
    assert table["what"].tolist() == ["ensemble", "SwAV"]
    ensemble = table.iloc[0]
    assert (ensemble["trainings"], ensemble["images_per_second"], ensemble["tflops_per_second"]) == (2, 50, 1.5)
    assert ensemble["share_of_peak"] == 0.5, "6 of the 12 that two devices could have done, one twice as fast as the other"
    assert ensemble[["data", "compute", "evaluation", "files"]].tolist() == [1 / 8, 3 / 8, 3 / 8, 1 / 8]
    assert ensemble["seconds"] == 8


def test_a_training_whose_peak_is_not_known_takes_no_part_in_the_share():
    row = {"what": "ensemble", **account(100, 1, 1, 2, 0, peak=4e12, flops=2e12)}
    unknown = row | {"peak_flops_per_second": float("nan")}
    assert speeds(pd.DataFrame([row, unknown])).loc[0, "share_of_peak"] == 2 / (2 * 4)
    assert np.isnan(speeds(pd.DataFrame([unknown])).loc[0, "share_of_peak"])


def test_the_accounts_of_files(tmp_path):
    seed, pair = tmp_path / "dynamics" / "seed0.h5", tmp_path / "connectivity" / "pair0.h5"
    storage.write_h5(seed, {}, account(100, 1, 1, 2, 0, peak=4e12))
    storage.write_h5(pair, {}, account(50, 1, 1, 2, 0, peak=4e12))
    found = accounts([seed, str(pair)])
    assert found["what"].tolist() == ["ensemble", "connectivity"]
    assert found["images"].tolist() == [100, 50]


def test_a_missing_file_of_an_account_names_the_rule_that_makes_it(tmp_path):
    with pytest.raises(PipelineError, match="run0.h5.*train_threshold"):
        accounts([tmp_path / "threshold" / "run0.h5"])


def test_a_training_that_experiments_share_counts_for_the_first():
    def sweep(*runs):
        return pd.DataFrame([{"run": run, "point": 0.5, **account(images, 1, 1, 2, 0, peak=4e12)} for run, images in runs])

    sweeps = {"easiest": [sweep(("a", 10), ("b", 20)), sweep(("b", 20))], "fixed": [sweep(("b", 20), ("c", 30)), pd.DataFrame()]}
    found = runs_of(sweeps)
    assert found["what"].tolist() == ["easiest", "easiest", "fixed"]
    assert found["images"].tolist() == [10, 20, 30]
    assert runs_of({}).empty


def test_trainings_that_diverged_have_no_account():
    diverged = pd.DataFrame([{"run": None, "point": point, "accuracy": np.nan} for point in (0.1, 0.2)])
    done = pd.DataFrame([{"run": "a", "point": 0.5, **account(10, 1, 1, 2, 0, peak=4e12)}])
    assert runs_of({"sweep": [pd.concat([diverged, done])]})["images"].tolist() == [10]


EPOCHS = 5


def with_another_pass(epoch):
    """Invented dynamics in which what was recorded in one pass over the examples is that of another ensemble."""
    (ours, theirs), place = (recordings.invented(epochs=EPOCHS, seed=seed)._seeds for seed in (0, 1)), epoch
    mixed = []
    for own, other in zip(ours, theirs, strict=True):
        seed = {name: np.array(values) for name, values in own.items()}
        for name in ("logits", "prediction"):
            seed[name][place] = other[name][place]
        seed["grand"][place + 1] = other["grand"][place + 1]
        if place == EPOCHS - 1:
            seed["prototype_distance"] = other["prototype_distance"]
        mixed.append(seed)
    return Dynamics(mixed, recordings.invented(epochs=EPOCHS).labels)


@pytest.mark.parametrize("name", [name for name in metrics.names() if metrics.load(name).NEEDS == "dynamics"])
def test_a_metric_pays_for_as_many_passes_as_change_its_scores(name):
    parameters = metrics.parameters(name)
    values = metrics.own(metrics.load(name), parameters)
    before = recordings.score(name, recordings.invented(epochs=EPOCHS), **values)
    changed = [
        epoch for epoch in range(EPOCHS) if not np.array_equal(recordings.score(name, with_another_pass(epoch), **values), before)
    ]
    passes = metrics.passes(name, parameters)
    assert len(changed) == (EPOCHS if passes is None else passes)
