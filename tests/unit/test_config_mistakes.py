"""One line in words for everything that is wrong in a study."""

import copy
import re

import pytest

from pipeline_lib import metrics as metric_files
from pipeline_lib.config import parse_study
from pipeline_lib.errors import PipelineError
from tests.unit.studies import GONE, STUDY, changed, complaints, places

EXPERIMENTS = (
    "sliding_window, prune_easiest, prune_hardest, prune_fixed, prune_stratified, clusters, curriculum, label_noise, "
    "relabel, pruning_imbalanced, imbalance, sweep, robustness, connectivity, kernel_velocity, score_epoch, seeds, transfer"
)
EVERY_EXPERIMENT = "seeds, metrics, balanced, budget, missing_classes"
UNKNOWN_KEYS = [
    ("ensemble", "seed", "seeds, epochs, grand_full"),
    ("datasets.digits", "size", "recipes, swav, ensemble, experiments, source, test_fraction"),
    ("datasets.noisy", "npz", "recipes, swav, ensemble, experiments, base, per_class, imbalance, flip_labels, flip_to"),
    ("datasets.noisy.ensemble", "seed", "seeds, epochs, grand_full"),
    ("recipes.small.optimiser", "beta", "name, lr, momentum, nesterov, weight_decay"),
    ("recipes.small.augmentation", "shear", "crop_padding, flip, rotation"),
    ("recipes.small.normalise", "var", "mean, std"),
    ("experiments", "window", EXPERIMENTS),
    ("experiments.sliding_window", "start", f"{EVERY_EXPERIMENT}, size, starts"),
    ("experiments.prune_easiest", "share", f"{EVERY_EXPERIMENT}, shares"),
    ("experiments.prune_stratified", "beta", f"{EVERY_EXPERIMENT}, shares, strata, cutoffs"),
    ("experiments.clusters", "numbers", f"{EVERY_EXPERIMENT}, k, features, shares"),
    ("experiments.curriculum", "step", f"{EVERY_EXPERIMENT}, begin, add, every"),
    ("datasets.digits.experiments", "window", EXPERIMENTS),
    ("datasets.digits.experiments.sliding_window", "start", f"{EVERY_EXPERIMENT}, size, starts"),
    ("datasets.digits.experiments.label_noise", "share", "noisy, kinds"),
]
SOURCES = "should have either `source:` one of digits, cifar10, cifar100, npz, imagefolder, or `base:` another data set"
IN_PART = "the name says el2n of fewer epochs, seeds or another data set, which needs no entry; choose another"
SCHEDULES = "should be a section with `name:` one of constant, onecycle, cosine, steps, plateau"
NESTEROV = {"name": "sgd", "lr": 0.1, "momentum": 0, "nesterov": True}
DATASETS = "digits, noisy, photos, local"
NOT_NOISY = "{} should have `base: {}` and `flip_labels:`, so that only labels differ"
EITHER = "should have either `counts:` for each class, or a `ratio:`"
WAYS = "'none', 'weighted_loss', 'sampler' or 'logit_adjustment'"
TAKEN = "the name is taken by the baseline; choose another"
WRONG_VALUES = [
    # wrong types
    ("seed", "many", "should be a whole number, not 'many'"),
    ("ensemble.seeds", 2.5, "should be a whole number, not 2.5"),
    ("ensemble", None, "should be a section with the keys seeds, epochs, grand_full, not nothing"),
    ("recipes", ["small"], "should be a section of keys, not ['small']"),
    ("recipes.small.optimiser.lr", "fast", "should be a number, not 'fast'"),
    ("recipes.small.optimiser.lr", float("inf"), "should be a finite number, not inf"),
    ("recipes.small.augmentation.flip", "maybe", "should be true or false, not 'maybe'"),
    ("recipes.small.schedule.epochs", 10, "should be a list, not 10"),
    ("datasets.local.npz", 3, "should be text, not 3"),
    ("datasets.local.npz", GONE, "must be given"),
    ("datasets", GONE, "must be given"),
    ("metrics.km", 3, "should be a section of keys, not 3"),
    # one of several
    ("experiments.clusters.features", "raw", "should be 'prototypes' or 'backbone', not 'raw'"),
    ("experiments.clusters.metrics", ["el2n"], "should be 'all', not ['el2n']"),
    ("experiments.sliding_window.missing_classes", "drop", "should be 'error' or 'allow', not 'drop'"),
    ("datasets.digits.experiments.sliding_window.starts", 0.1, "should be a list, not 0.1"),
    ("datasets.digits.experiments", [], f"should be a section with the keys {EXPERIMENTS}, not nothing"),
    ("device", "gpu", "should be 'auto', 'cpu' or 'cuda', not 'gpu'"),
    ("datasets.digits", "digits", f"{SOURCES}, not 'digits'"),
    ("datasets.digits", {}, f"{SOURCES}, not nothing"),
    ("datasets.digits", {"source": "mnist", "swav": "x"}, f"{SOURCES}, not {{'source': 'mnist'}}"),
    ("datasets.digits", {"source": "digits", "base": "noisy"}, f"{SOURCES}, not {{'base': 'noisy', 'source': 'digits'}}"),
    ("recipes.small.optimiser", "adam", "should be a section with `name:` one of adam, sgd, not 'adam'"),
    ("recipes.small.schedule", {"name": "linear"}, f"{SCHEDULES}, not {{'name': 'linear'}}"),
    ("recipes.small.normalise", "imagenet", "should be dataset, none or a section with mean and std, not 'imagenet'"),
    # out of range
    ("seed", -1, "should be at least 0, not -1"),
    ("ensemble.seeds", 0, "should be at least 1, not 0"),
    ("experiments.sliding_window.seeds", 0, "should be at least 1, not 0"),
    ("datasets.digits.test_fraction", 1.5, "should be less than 1, not 1.5"),
    ("datasets.noisy.flip_labels", -0.1, "should be greater than 0, not -0.1"),
    ("experiments.sliding_window.size", 1.2, "should be at most 1, not 1.2"),
    ("experiments.sliding_window.starts", [], "should hold 1 or more, not nothing"),
    ("experiments.clusters.k", [], "should hold 1 or more, not nothing"),
    ("experiments.curriculum.begin", 1, "should be less than 1, not 1"),
    ("experiments.curriculum.every", 0, "should be at least 1, not 0"),
    ("experiments.prune_stratified.strata", 0, "should be at least 1, not 0"),
    ("datasets.digits.experiments.sliding_window.size", 1.2, "should be at most 1, not 1.2"),
    ("swav.small.elbow", [2, 3, 4], "should hold 2 or fewer, not [2, 3, 4]"),
    ("swav.small.elbow", [9, 2], "should be a smallest and a largest number, at least 2 apart, not [9, 2]"),
    ("recipes.small.normalise", {"mean": [0, 0], "std": [1]}, "mean has 2 numbers, std has 1; give each one per channel"),
    ("recipes.small.optimiser", NESTEROV, "nesterov needs a momentum greater than 0"),
    # names that do not exist, or are taken
    ("datasets.digits.swav", "big", "there is no swav section 'big'; accepted: small"),
    ("datasets.noisy.base", "mnist", f"there is no data set 'mnist'; accepted: {DATASETS}"),
    ("datasets.noisy.base", "noisy", "noisy -> noisy is a circle; name another data set"),
    ("metrics.el2m", None, f"there is no metric 'el2m'; accepted: {', '.join(metric_files.names())}"),
    ("experiments.sliding_window.metrics", ["std"], "there is no metric 'std'; accepted: el2n, km"),
    ("experiments.sliding_window.metrics", ["random"], "random is a baseline and always drawn; leave it out"),
    (
        "experiments.sliding_window.metrics",
        ["repeated_random"],
        "repeated_random is a baseline and drawn where it can be; leave it out",
    ),
    ("metrics.repeated_random", {"function": "random"}, "the name is taken by the baseline; choose another"),
    ("metrics.full", {"function": "random"}, "the name is taken by the baseline; choose another"),
    ("metrics.label", {"function": "el2n"}, "the name is taken by a column of ranking.csv; choose another"),
    ("metrics.el2n_rank", {"function": "std"}, "the name is taken by a column of ranking.csv; choose another"),
    *((f"metrics.{name}", {"function": "std"}, IN_PART) for name in ("el2n_at_2", "el2n_of_3", "el2n_of_3_1", "el2n_from_noisy")),
    ("datasets.digits.experiments.sliding_window.metrics", ["std"], "there is no metric 'std'; accepted: el2n, km"),
    ("datasets.digits.experiments.sliding_window.metrics", ["full"], "full is a baseline and always drawn; leave it out"),
    ("datasets.digits.experiments.label_noise.noisy", "mnist", f"there is no data set 'mnist'; accepted: {DATASETS}"),
    ("datasets.digits.experiments.label_noise.noisy", "local", NOT_NOISY.format("local", "digits")),
    ("datasets.digits.experiments.label_noise.noisy", "digits", NOT_NOISY.format("digits", "digits")),
    ("metrics.full", None, TAKEN),
    ("metrics.random", {"function": "el2n"}, TAKEN),
]
WRONG_INSIDE = [  # the line names a key of the changed section, or the section of the changed key
    ("datasets.digits.recipes", {"scoring": "big"}, "datasets.digits.recipes.scoring: there is no recipe 'big'; accepted: small"),
    ("ensemble.seeds", True, "ensemble: seeds should be a number, not True"),
    ("experiments.sliding_window.starts", [-0.1], "experiments.sliding_window.starts.0: should be at least 0, not -0.1"),
    (
        "experiments.sliding_window.starts",
        [0, 0.7],
        "experiments.sliding_window: the window 0.7 + 0.4 leaves the data; starts must be at most 0.6",
    ),
    (
        "datasets.digits.experiments.sliding_window.size",
        0.5,
        "datasets.digits.experiments.sliding_window: the window 0.6 + 0.5 leaves the data; starts must be at most 0.5",
    ),
    (
        "datasets.noisy",
        {"base": "digits", "per_class": 5},
        "datasets.digits.experiments.label_noise.noisy: " + NOT_NOISY.format("noisy", "digits"),
    ),
    (
        "datasets.noisy.base",
        "local",
        "datasets.digits.experiments.label_noise.noisy: " + NOT_NOISY.format("noisy", "digits"),
    ),
    (
        "datasets.noisy",
        {"base": "digits", "flip_labels": 0.1, "imbalance": {"ratio": 2}},
        "datasets.digits.experiments.label_noise.noisy: " + NOT_NOISY.format("noisy", "digits"),
    ),
    (
        "datasets.noisy",
        {"base": "digits", "per_class": 5, "imbalance": {"ratio": 2}},
        "datasets.noisy: per_class and imbalance both say how many examples are kept of a class; leave one out",
    ),
    ("datasets.noisy.imbalance", {"ratio": 0.5}, "datasets.noisy.imbalance.ratio: should be at least 1, not 0.5"),
    ("datasets.noisy.imbalance", {}, f"datasets.noisy.imbalance: {EITHER}"),
    ("datasets.noisy.imbalance", {"ratio": 2, "counts": {"1": 2, "2": 1}}, f"datasets.noisy.imbalance: {EITHER}"),
    ("datasets.noisy.imbalance", {"counts": {"1": 2}}, "datasets.noisy.imbalance.counts: should hold 2 or more, not {'1': 2}"),
    ("datasets.noisy.imbalance", {"counts": {"1": 2, "2": 0}}, "datasets.noisy.imbalance.counts.2: should be at least 1, not 0"),
    (
        "datasets.noisy.imbalance",
        {"counts": {"1": 2, 2: 3}},
        "datasets.noisy.imbalance.counts: 2 is not a name; accepted: text (put it in quotes)",
    ),
    (
        "datasets.noisy.imbalance",
        {"counts": {"1": 2, "2": 3}, "test": {"1": 2}},
        "datasets.noisy.imbalance: test: should name the classes of counts (1, 2), not 1",
    ),
    (
        "datasets.noisy.imbalance",
        {"ratio": 2, "test": "drawn"},
        "datasets.noisy.imbalance.test: should be proportional, none or a number of images for each class, not 'drawn'",
    ),
    (
        "datasets.digits.experiments",
        {"pruning_imbalanced": {}, "prune_easiest": {"balanced": [False], "shares": [0.5]}},
        "datasets.digits.experiments.prune_easiest.balanced: should be [false, true], because pruning_imbalanced draws both",
    ),
    (
        "datasets.digits.experiments.pruning_imbalanced",
        {"share": 0.3},
        "datasets.digits.experiments.pruning_imbalanced.share: should be one of prune_easiest.shares (0.2, 0.5), not 0.3",
    ),
    ("recipes.small.balance", "weights", f"recipes.small.balance: should be {WAYS}, not 'weights'"),
    ("recipes.small.tau", 0, "recipes.small.tau: should be greater than 0, not 0"),
    (
        "datasets.noisy",
        {"base": "digits", "flip_to": "next"},
        "datasets.noisy: flip_to: next says where wrong labels go, but flip_labels is not given; give it",
    ),
    ("experiments.prune_easiest.shares", [0.5, 1], "experiments.prune_easiest.shares.1: should be less than 1, not 1"),
    ("experiments.prune_easiest.shares", [0], "experiments.prune_easiest.shares.0: should be greater than 0, not 0"),
    ("experiments.prune_easiest.shares", [0.1, 0.1], "experiments.prune_easiest: shares: 0.1 is given twice"),
    ("experiments.prune_easiest.balanced", [True, True], "experiments.prune_easiest: balanced: True is given twice"),
    ("experiments.prune_easiest.budget", ["runs"], "experiments.prune_easiest.budget.0: should be 'epochs' or 'steps', not 'runs'"),
    (
        "experiments.prune_stratified.shares",
        [0.1],
        "experiments.prune_stratified: shares: 0.1 is less than the cutoff 0.2 that is pruned anyway",
    ),
    ("experiments.prune_stratified.cutoffs", [1], "experiments.prune_stratified.cutoffs.0: should be less than 1, not 1"),
    (
        "experiments.prune_stratified.cutoffs",
        [0, 0.1],
        "experiments.prune_stratified: cutoffs: 2 for 1 shares; give one for each",
    ),
    (
        "experiments.clusters.k",
        [5, "many"],
        "experiments.clusters.k.1: should be classes, elbow or a number of clusters, not 'many'",
    ),
    ("experiments.clusters.k", [5, "elbow", 5], "experiments.clusters: k: 5 is given twice"),
    ("experiments.curriculum.budget", ["epochs"], "experiments.curriculum.budget.0: should be 'steps', not 'epochs'"),
    ("experiments.sliding_window.starts", [0.1, 0, 0.1], "experiments.sliding_window: starts: 0.1 is given twice"),
    ("experiments.sliding_window.metrics", ["km", "km"], "experiments.sliding_window: metrics: km is given twice"),
    (
        "datasets.photos.test",
        "photos/",
        "datasets.photos: test and train are the same folder photos; leave `test` out to split a share off",
    ),
    ("metrics.km", {"k": 0}, "metrics.km.k: 0 is not a whole number from 1, classes or elbow"),
    ("metrics.km", {"features": "foo"}, "metrics.km.features: 'foo' is not one of prototypes, backbone"),
    ("metrics.el2n", {"epoch": 0}, "metrics.el2n.epoch: 0 is not an epoch: a whole number from 1, or last"),
    ("metrics.el2n", {"epoch": 5}, "metrics.el2n.epoch: should be at most 4, the epochs of the ensemble of noisy, not 5"),
    ("metrics.el2n", {"epoc": 1}, "metrics.el2n.epoc: unknown; accepted: function, epoch, until, seeds, group"),
]


@pytest.mark.parametrize(("section", "key", "accepted"), UNKNOWN_KEYS)
def test_an_unknown_key_is_refused_with_the_accepted_ones(section, key, accepted):
    assert complaints(changed(f"{section}.{key}", 1)) == [f"{section}: unknown key {key!r}; accepted: {accepted}"]


def test_an_unknown_key_of_the_file_itself_is_refused():
    sections = "seed, device, checkpoint_seconds, datasets, recipes, swav, ensemble, threshold, metrics, experiments, cluster"
    assert complaints(STUDY | {"sed": 1}) == [f"unknown key 'sed'; accepted: {sections}"]


@pytest.mark.parametrize(("path", "value", "what"), WRONG_VALUES)
def test_a_wrong_value_gives_one_line_with_key_and_accepted_values(path, value, what):
    assert complaints(changed(path, value)) == [f"{path}: {what}"]


@pytest.mark.parametrize(("path", "value", "line"), WRONG_INSIDE)
def test_what_does_not_go_together_gives_one_line_too(path, value, line):
    assert complaints(changed(path, value)) == [line]


@pytest.mark.parametrize("section", ["datasets", "recipes", "swav", "metrics"])
@pytest.mark.parametrize("name", ["a.b", "a/b", "../up", "a b", "_a", "a\n", ""])
def test_a_name_that_cannot_be_a_folder_is_refused(section, name):
    study = copy.deepcopy(STUDY)
    study[section][name] = next(iter(study[section].values()))
    rule = "letters, digits and _, the first no _"
    assert complaints(study) == [f"{section}: {name!r} is not a name; accepted: {rule}"]


def test_a_key_that_yaml_reads_as_a_number_is_asked_for_in_quotes():
    assert complaints(STUDY | {"swav": {7: {}, "small": {}}}) == ["swav: 7 is not a name; accepted: text (put it in quotes)"]


def test_a_longer_circle_of_bases_is_shown_whole():
    study = changed("datasets.twice", {"base": "noisy"})
    study["datasets"]["noisy"]["base"] = "twice"
    assert complaints(study) == ["datasets.noisy.base: noisy -> twice -> noisy is a circle; name another data set"]


def test_every_mistake_in_values_is_named_at_once():
    study = changed("ensemble.seeds", 0)
    study["recipes"]["small"]["batch"] = "big"
    assert complaints(study) == [
        "recipes.small.batch: should be a whole number, not 'big'",
        "ensemble.seeds: should be at least 1, not 0",
    ]


@pytest.mark.parametrize("junk", [None, "x", -1.5, True, [], [None], {}, {"x": [1]}], ids=repr)
def test_junk_anywhere_is_accepted_or_refused_in_plain_words(junk):
    messages = []
    for place in places(STUDY):
        try:
            parse_study(changed(place, junk))
        except PipelineError as error:
            messages.append(str(error))
    assert len(messages) > 10
    jargon = re.compile(r"Input|instance|valid (dict|str|int)|\btag\b|validation|\w\[|\[key\]|\.\(")
    assert [message for message in messages if jargon.search(message)] == []


@pytest.mark.parametrize("junk", [None, [], "text", 3])
def test_a_file_that_is_no_section_is_refused(junk):
    [line] = complaints(junk)
    assert line.startswith("should be a section with the keys seed, device, checkpoint_seconds, ")


@pytest.mark.parametrize("experiments", [5, [5], "all"])
def test_experiments_that_are_no_section_are_refused_once_whatever_a_data_set_changes(experiments):
    shown = repr(experiments)
    assert complaints(STUDY | {"experiments": experiments}) == [
        f"experiments: should be a section with the keys {EXPERIMENTS}, not {shown}"
    ]


def test_a_mistake_of_the_study_is_not_said_again_of_every_data_set_but_their_own_are():
    study = changed("experiments.prune_easiest.seeds", 0)
    study["datasets"]["local"]["experiments"] = {"prune_easiest": {"seeds": -1}}
    assert complaints(study) == [
        "datasets.local.experiments.prune_easiest.seeds: should be at least 1, not -1",
        "experiments.prune_easiest.seeds: should be at least 1, not 0",
    ]


@pytest.mark.parametrize(
    ("metric", "given", "key", "value"),
    [
        ("dyn_unc", {}, "window", 5),  # its default is too long as well
        ("student_teacher", {"early": 9}, "early", 9),
        ("student_teacher", {"late": 7}, "late", 7),
        ("grand", {"epoch": 5}, "epoch", 5),
    ],
)
def test_a_metric_that_needs_more_epochs_than_are_recorded_is_refused_before_any_training(metric, given, key, value):
    assert complaints(changed(f"metrics.{metric}", given)) == [
        f"metrics.{metric}.{key}: should be at most 4, the epochs of the ensemble of noisy, not {value}"
    ]
