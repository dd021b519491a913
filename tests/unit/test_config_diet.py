"""Experiments on scores from less: the names that they bring along, and mistakes in their sections."""

import copy
from functools import partial

import pytest

from pipeline_lib.config import parse_study
from tests.unit.studies import STUDY, complaints

EXPERIMENTS = {
    "score_epoch": {"epochs": [0, 1, 4], "shares": [0.5], "metrics": ["el2n", "flip", "early"]},
    "seeds": {"numbers": [1, 3], "metrics": ["el2n", "std"]},
    "transfer": {"datasets": ["same"], "metrics": ["el2n"]},
}


def study(*, ensemble=None, metrics=None, **experiments):
    """The small study with the three experiments on, and sections of theirs changed."""
    made = copy.deepcopy(STUDY)
    made["metrics"] |= {"flip": None, "std": None, "prototype": None, "early": {"function": "el2n", "epoch": 2}} | (metrics or {})
    own = {name: section | experiments.get(name, {}) for name, section in EXPERIMENTS.items()}
    made["datasets"]["digits"] |= {"experiments": own, "ensemble": {"seeds": 4, "epochs": 6} | (ensemble or {})}
    made["datasets"]["same"] = {"base": "digits"}
    return made


def test_every_epoch_that_a_metric_can_do_with_is_swept_and_the_last_under_its_own_name():
    assert parse_study(study()).ensemble_metrics("digits", "score_epoch") == {
        "el2n": {0: "el2n_at_0", 1: "el2n_at_1", 4: "el2n_at_4", 6: "el2n"},
        "flip": {4: "flip_at_4", 6: "flip"},
        "early": {0: "early_at_0", 1: "early_at_1", 4: "early_at_4", 6: "early_at_6"},
    }
    assert parse_study(study()).swept_metrics("digits", "score_epoch")[-1] == "input_norm"


def test_every_number_of_seeds_that_a_metric_can_do_with_is_swept():
    assert parse_study(study()).ensemble_metrics("digits", "seeds") == {
        "el2n": {1: "el2n_of_1", 3: "el2n_of_3", 4: "el2n"},
        "std": {3: "std_of_3", 4: "std"},
    }


def test_trainings_go_by_different_groups_of_seeds():
    """One group for all would hide in the intervals how much it matters which seeds they are."""
    made = study(seeds={"numbers": [1, 2, 3], "metrics": ["el2n"], "seeds": 3})
    groups = partial(parse_study(made).score_names, "digits", "seeds")
    assert groups("el2n_of_1") == ["el2n_of_1", "el2n_of_1_1", "el2n_of_1_2"], "three trainings, three of the four seeds"
    assert groups("el2n_of_2") == ["el2n_of_2", "el2n_of_2_1"], "of four there are two pairs"
    assert groups("el2n_of_3") == ["el2n_of_3", "el2n_of_3_1", "el2n_of_3_2"]
    assert groups("el2n") == ["el2n"]
    assert parse_study(made).score_names("digits", "prune_easiest", "el2n_of_2") == ["el2n_of_2"]


def test_ensembles_on_the_same_images_are_strangers():
    """With equal seeds they would share initial weights and orders, and agree for that."""
    made = study()
    made["datasets"] |= {"again": {"base": "same"}, "noisier": {"base": "same", "flip_labels": 0.1}}
    parsed = parse_study(made)
    purposes = {name: parsed.ensemble_purpose(name) for name in ("digits", "same", "again", "noisier")}
    assert purposes == {"digits": "scoring", "same": "scoring of same", "again": "scoring of again", "noisier": "scoring"}


def test_other_ensembles_stand_beside_the_own_one():
    parsed = parse_study(study())
    assert parsed.swept_metrics("digits", "transfer") == ["el2n", "el2n_from_same"]
    assert parsed.scored_by("digits", "el2n_from_same") == "same"
    assert parsed.scored_by("digits", "el2n") == "digits"


def test_the_names_say_what_is_read():
    parsed = parse_study(study())
    assert parsed.metric_parameters("el2n_at_2") == {"epoch": "last", "until": 2}
    assert parsed.metric_parameters("early_at_1") == {"epoch": "last", "until": 1}, "the last of those epochs"
    assert parsed.metric_parameters("early_of_3") == {"epoch": 2, "seeds": 3}
    assert parsed.metric_parameters("std_of_2_1") == {"epoch": "last", "seeds": 2, "group": 1}
    assert parsed.metric_parameters("early_from_same") == {"epoch": 2}
    assert parsed.metric_parameters("flip_at_0") == {"until": 0}
    assert parsed.metric_parameters("input_norm") == {}
    assert [parsed.metric_function(name) for name in ("early_at_1", "std_of_2", "input_norm")] == ["el2n", "std", "input_norm"]


def test_a_configured_metric_may_have_such_parameters():
    parsed = parse_study(study(metrics={"std_of_two": {"function": "std", "until": 3, "seeds": 2}}))
    assert parsed.metric_parameters("std_of_two") == {"epoch": "last", "until": 3, "seeds": 2}
    assert parsed.metric_function("std_of_two") == "std"


def test_of_a_training_cut_short_the_teacher_is_the_last_epoch_left():
    gap = {"function": "student_teacher", "early": 1, "late": 4}
    parsed = parse_study(study(metrics={"gap": gap}))
    assert parsed.metric_parameters("gap_at_2") == {"early": 1, "late": "last", "until": 2}
    assert parsed.metric_parameters("gap_of_2") == {"early": 1, "late": 4, "seeds": 2}


@pytest.mark.parametrize(
    "name",
    ["km_at_2", "el2n_at_", "el2n_of_0", "el2n_from_nowhere", "other_at_2", "el2n_at_x", "_at_2", "el2n_of_2_", "el2n_of_2_x"],
)
def test_a_name_that_only_looks_like_one_is_none(name):
    assert not parse_study(study()).has_metric(name)


def test_all_are_those_of_the_ensemble_that_can_be_computed_then():
    parsed = parse_study(study(score_epoch={"metrics": "all"}, seeds={"metrics": "all"}))
    assert list(parsed.ensemble_metrics("digits", "score_epoch")) == ["el2n", "flip", "std", "early"], "not prototype, km, random"
    assert list(parsed.ensemble_metrics("digits", "seeds")) == ["el2n", "flip", "std", "prototype", "early"]


def test_a_derived_data_set_does_not_inherit_what_is_asked_of_its_bases_ensemble():
    parsed = parse_study(study())
    assert not {"score_epoch", "seeds", "transfer"} & set(parsed.swept("same"))
    assert {"score_epoch", "seeds", "transfer"} <= set(parsed.swept("digits"))
    assert "prune_easiest" in parsed.swept("same")


KEY = "datasets.digits.experiments"
MISTAKES = {
    "epoch": (
        {"score_epoch": {"epochs": [1, 6]}},
        f"{KEY}.score_epoch.epochs: should be less than 6, the epochs of the ensemble of digits, not 6; the last one is always "
        "drawn",
    ),
    "negative epoch": ({"score_epoch": {"epochs": [-1]}}, f"{KEY}.score_epoch.epochs.0: should be at least 0, not -1"),
    "epoch twice": ({"score_epoch": {"epochs": [1, 1]}}, f"{KEY}.score_epoch: epochs: 1 is given twice"),
    "share": ({"score_epoch": {"shares": [1]}}, f"{KEY}.score_epoch.shares.0: should be less than 1, not 1"),
    "recorded at the end": (
        {"score_epoch": {"metrics": ["prototype"]}},
        f"{KEY}.score_epoch.metrics: prototype is recorded after the last epoch alone; leave it out",
    ),
    "not of the ensemble": (
        {"score_epoch": {"metrics": ["km"]}},
        f"{KEY}.score_epoch.metrics: km is not computed from the ensemble; leave it out",
    ),
    "unknown metric": (
        {"seeds": {"metrics": ["el3n"]}},
        f"{KEY}.seeds.metrics: there is no metric 'el3n'; accepted: el2n, km, flip, std, prototype, early",
    ),
    "seeds": (
        {"seeds": {"numbers": [2, 4]}},
        f"{KEY}.seeds.numbers: should be less than 4, the seeds of the ensemble of digits, not 4; all seeds are always drawn",
    ),
    "the name of a group of seeds": (
        {"metrics": {"el2n_of_3_1": {"function": "std"}}, "seeds": {"metrics": ["el2n"]}},
        "metrics.el2n_of_3_1: the name says el2n of fewer epochs, seeds or another data set, which needs no entry; choose another",
    ),
    "no seeds": ({"seeds": {"numbers": [0]}}, f"{KEY}.seeds.numbers.0: should be at least 1, not 0"),
    "number twice": ({"seeds": {"numbers": [2, 2]}}, f"{KEY}.seeds: numbers: 2 is given twice"),
    "unknown data set": (
        {"transfer": {"datasets": ["elsewhere"]}},
        f"{KEY}.transfer.datasets: there is no other data set 'elsewhere'; accepted: noisy, photos, local, same",
    ),
    "itself": (
        {"transfer": {"datasets": ["digits"]}},
        f"{KEY}.transfer.datasets: there is no other data set 'digits'; accepted: noisy, photos, local, same",
    ),
    "other labels": (
        {"transfer": {"datasets": ["noisy"]}},
        f"{KEY}.transfer.datasets: noisy has other images or labels than digits; name one that differs in its recipes alone "
        "(`base: digits` without any change)",
    ),
    "data set twice": (
        {"transfer": {"datasets": ["same", "same"]}},
        f"{KEY}.transfer: datasets: should name every data set once, not ['same', 'same']",
    ),
    "gradients of no epoch": ({"ensemble": {"grand_full": {"epochs": []}}}, "datasets.digits.ensemble.grand_full.epochs: should"),
    "gradients after the end": (
        {"ensemble": {"grand_full": {"epochs": [7]}}},
        "datasets.digits.ensemble: grand_full.epochs: 7 is more than the 6 epochs that are trained",
    ),
    "gradients twice": (
        {"ensemble": {"grand_full": {"epochs": [2, 2]}}},
        "datasets.digits.ensemble.grand_full.epochs: should name every number once, not [2, 2]",
    ),
    "layers": (
        {"ensemble": {"grand_full": {"epochs": [2], "layers": "last"}}},
        "datasets.digits.ensemble.grand_full.layers: should be all or a list of patterns of layers' names, such as layer4.*, "
        "not 'last'",
    ),
    "until": (
        {"metrics": {"el2n": {"until": 5}}},
        "metrics.el2n.until: should be at most 4, the epochs of the ensemble of noisy, not 5",
    ),
    "no until": (
        {"metrics": {"el2n": {"until": -1}}},
        "metrics.el2n.until: -1 is not a number of epochs: a whole number from 0 (the untrained networks)",
    ),
    "seeds of a metric": (
        {"metrics": {"el2n": {"seeds": 11}}},
        "metrics.el2n.seeds: should be at most 2, the seeds of the ensemble of photos, not 11",
    ),
    "group of all seeds": (
        {"metrics": {"el2n": {"group": 1}}},
        "metrics.el2n.group: says which of several groups of seeds; say of how many seeds with `seeds`",
    ),
    "no group": (
        {"metrics": {"el2n": {"seeds": 1, "group": -1}}},
        "metrics.el2n.group: -1 is not the place of a group of seeds: a whole number from 0",
    ),
    "until of no ensemble": ({"metrics": {"km": {"until": 1}}}, "metrics.km.until: unknown; accepted: function, features, k"),
    "gradients that are not recorded": (
        {"metrics": {"grand_full": {"epoch": 3}}},
        "metrics.grand_full: it is needed after 3 epochs; add them to datasets.digits.ensemble.grand_full.epochs",
    ),
}


@pytest.mark.parametrize("case", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gives_one_line_that_names_its_key(case):
    changes, says = case
    [line] = complaints(study(**changes))
    assert line.startswith(says), line


def test_gradients_that_an_experiment_needs_are_missed_before_anything_trains():
    made = study(ensemble={"grand_full": {"epochs": [1, 6]}}, score_epoch={"metrics": ["grand_full"]})
    for name in ("noisy", "same", "photos", "local"):  # a metric is the study's: every ensemble must have recorded it
        made["datasets"][name]["ensemble"] = {"epochs": 6, "grand_full": {"epochs": [6]}}
    made["metrics"]["grand_full"] = None
    [line] = complaints(made)
    assert line == (
        f"{KEY}.score_epoch.metrics: grand_full is needed after 0, 4 epochs; add them to "
        "datasets.digits.ensemble.grand_full.epochs (it has 1, 6)"
    )
    made["datasets"]["digits"]["experiments"]["score_epoch"]["epochs"] = [1]
    assert parse_study(made).ensemble_metrics("digits", "score_epoch") == {"grand_full": {1: "grand_full_at_1", 6: "grand_full"}}
