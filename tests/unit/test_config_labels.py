"""What the configuration says of wrong labels: the learned cut-off, and trainings without the doubted labels."""

import copy

import pytest

from pipeline_lib.analyse import sweeps
from pipeline_lib.config import BASELINES, REPEATED, UNSCORED, parse_study
from tests.unit.studies import STUDY, changed, complaints

STEADY = STUDY["recipes"]["small"] | {"schedule": {"name": "constant"}}


def study(threshold="steady", relabel=None, kinds=(), **more):
    """The small study with a recipe for threshold examples in both data sets."""
    changes = copy.deepcopy(STUDY) | more
    changes["recipes"]["steady"] = STEADY
    for name in ("digits", "noisy"):
        changes["datasets"][name]["recipes"] = {"threshold": threshold}
    changes["datasets"]["digits"]["experiments"]["label_noise"]["kinds"] = list(kinds)
    if relabel is not None:
        changes["datasets"]["noisy"]["experiments"] = {"relabel": relabel}
        changes["datasets"]["digits"]["experiments"]["label_noise"]["noisy"] = None
    return changes


def test_what_is_beyond_the_thesis_is_done_only_where_it_is_named():
    assert parse_study(STUDY).experiments_of("digits").relabel is None
    with_it = parse_study(study(relabel={"by": ["threshold"]}))
    assert "relabel" in with_it.swept("noisy")
    assert "relabel" not in with_it.swept("digits")
    assert with_it.swept_metrics("noisy", "relabel") == ["threshold"]
    assert with_it.baselines("noisy", "relabel") == ("full",)


def test_the_analysis_calls_the_baselines_as_the_configuration_does():
    assert (sweeps.BASELINES, sweeps.REPEATED, sweeps.UNSCORED) == (BASELINES, REPEATED, UNSCORED)


def test_other_random_subsets_in_every_epoch_stand_where_the_question_is_which_part_to_keep():
    parsed = parse_study(STUDY)
    for experiment in ("sliding_window", "prune_easiest", "prune_hardest", "prune_fixed", "prune_stratified"):
        assert parsed.baselines("digits", experiment) == ("random", "repeated_random", "full")
    for experiment in ("clusters", "curriculum"):
        assert parsed.baselines("digits", experiment) == ("random", "full")
    steps = parse_study(
        STUDY | {"experiments": {**STUDY["experiments"], "prune_fixed": {"budget": ["steps"], "metrics": ["el2n"]}}}
    )
    assert steps.baselines("digits", "prune_fixed") == ("random", "full"), "with as many steps it would be all data"


def test_a_derived_data_set_takes_only_what_the_thesis_had_from_its_base():
    changes = study(relabel={"by": ["truth"]})
    changes["datasets"]["half"] = {"base": "noisy", "per_class": 5}
    half = parse_study(changes).experiments_of("half")
    assert half.relabel is None
    assert half.sliding_window == parse_study(changes).experiments_of("noisy").sliding_window


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("percentile", 0, "should be greater than 0, not 0"),
        ("percentile", 101, "should be at most 100, not 101"),
        ("runs", 1, "should be at least 2, not 1"),
        ("margins", "augmented", "should be 'training' or 'clean', not 'augmented'"),
    ],
)
def test_a_threshold_out_of_range_is_refused(key, value, what):
    assert complaints(STUDY | {"threshold": {key: value}}) == [f"threshold.{key}: {what}"]


def test_an_unknown_recipe_for_threshold_examples_is_refused():
    assert complaints(study(threshold="big")) == [
        "datasets.digits.recipes.threshold: there is no recipe 'big'; accepted: small, steady"
    ]


def test_a_schedule_that_holds_examples_out_is_refused_for_threshold_examples():
    changes = study()
    changes["recipes"]["steady"] = STEADY | {"schedule": {"name": "plateau"}}
    [line] = complaints(changes)
    assert line.startswith("datasets.digits.recipes.threshold: steady has a plateau schedule, which holds examples out")


def test_a_sampler_that_leaves_examples_out_is_refused_for_threshold_examples():
    changes = study()
    changes["recipes"]["steady"] = STEADY | {"balance": "sampler"}
    [line] = complaints(changes)
    assert line.startswith("datasets.digits.recipes.threshold: steady has `balance: sampler`, whose epochs lack some examples")


@pytest.mark.parametrize(
    ("relabel", "what"),
    [
        ({"by": []}, ".by: should hold 1 or more, not nothing"),
        ({"by": ["el2n"]}, ".by.0: should be 'threshold', 'lead' or 'truth', not 'el2n'"),
        ({"by": ["lead", "lead"]}, ": by: lead is given twice"),
        ({"balanced": [True]}, ".balanced.0: should be False, not True"),
    ],
)
def test_a_wrong_relabel_section_is_refused(relabel, what):
    assert complaints(study(relabel=relabel)) == [f"datasets.noisy.experiments.relabel{what}"]


def test_threshold_without_its_recipe_and_truth_without_wrong_labels_are_refused():
    assert complaints(study(threshold=None, relabel={"by": ["threshold"]})) == [
        "datasets.noisy.experiments.relabel.by: threshold needs a recipe under datasets.noisy.recipes.threshold"
    ]
    clean = study(relabel={"by": ["lead"]})
    clean["datasets"]["local"]["experiments"] = {"relabel": {"by": ["truth"]}}
    assert complaints(clean) == [
        "datasets.local.experiments.relabel.by: truth needs labels that are known (`flip_labels:`, or an .npz with "
        "`true_labels:`); leave it out"
    ]


def test_kinds_of_wrong_labels_must_be_of_this_data_set_and_have_a_cut_off():
    key = "datasets.digits.experiments.label_noise.kinds"
    assert parse_study(study(kinds=["noisy"])).experiments_of("digits").label_noise.kinds == ["noisy"]
    assert complaints(study(kinds=["mnist"])) == [f"{key}.0: there is no data set 'mnist'; accepted: digits, noisy, photos, local"]
    assert complaints(study(kinds=["noisy", "local"])) == [
        f"{key}.1: local should have `base: digits` and known wrong labels (`flip_labels:`)"
    ]
    without = study(threshold=None, kinds=["noisy"])
    assert complaints(without) == [f"{key}.0: noisy should name a recipe under `recipes.threshold`"]
    other = study(kinds=["noisy", "noisier"])
    noisy = other["datasets"]["noisy"]
    recipes = noisy["recipes"] | {"scoring": noisy["recipes"]["threshold"]}
    other["datasets"]["noisier"] = noisy | {"recipes": recipes, "experiments": {}}
    assert complaints(other) == [f"{key}.1: noisier should have the recipes of noisy: only the wrong labels may differ"]


@pytest.mark.parametrize(
    ("schedule", "warned"),
    [
        ({"name": "constant"}, False),
        ({"name": "steps", "epochs": [2], "factor": 0.1}, False),  # after the last of two epochs
        ({"name": "steps", "epochs": [1], "factor": 0.1}, True),
        ({"name": "onecycle"}, True),
        ({"name": "cosine"}, True),
    ],
)
def test_a_learning_rate_that_drops_is_warned_of_with_the_reason(schedule, warned):
    changes = study()
    changes["recipes"]["steady"] = STEADY | {"schedule": schedule}
    said = parse_study(changes).rate_drops("digits")
    assert bool(said) == warned
    if warned:
        assert said.startswith(
            f"recipes.steady.schedule: {schedule['name']} lowers the learning rate, and then wrong labels are learnt"
        )
    assert parse_study(changed("seed", 1)).rate_drops("digits") == "", "no recipe, nothing to warn of"
