"""The study: what is accepted, and one line in words for everything that is not."""

import copy
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from pipeline_lib import metrics as metric_files
from pipeline_lib.config import Recipe, Study, parse_study, plain, schema_text
from pipeline_lib.errors import PipelineError

PROJECT = Path(__file__).parents[2]
GONE = object()
STUDY = {
    "datasets": {
        "digits": {"source": "digits"},
        "noisy": {"base": "digits", "flip_labels": 0.1, "ensemble": {"epochs": 4}},
        "photos": {"source": "imagefolder", "train": "photos"},
        "local": {"source": "npz", "npz": "local.npz"},
    },
    "recipes": {
        "small": {
            "model": "small_cnn",
            "optimiser": {"name": "sgd", "lr": 0.1},
            "schedule": {"name": "steps", "epochs": [1], "factor": 0.1},
            "epochs": 2,
            "batch": 8,
            "augmentation": {"flip": True},
            "normalise": {"mean": [0.5], "std": [0.5]},
        }
    },
    "swav": {"small": {"elbow": [2, 9]}},
    "ensemble": {"seeds": 2, "epochs": 6},
    "metrics": {"el2n": None, "km": {"k": 3}, "random": None},
    "experiments": {"sliding_window": {"size": 0.4, "starts": [0, 0.6], "metrics": ["el2n"]}},
}


def changed(path, value):
    """The study above with the value at a dotted path changed."""
    study = copy.deepcopy(STUDY)
    *way, last = path.split(".")
    section = study
    for key in way:
        section = section[key]
    if value is GONE:
        del section[last]
    else:
        section[last] = value
    return study


def complaints(study):
    with pytest.raises(PipelineError) as caught:
        parse_study(study)
    head, *lines = str(caught.value).splitlines()
    assert head == "the configuration is not valid:"
    return [line.strip() for line in lines]


def places(section, path=()):
    for key, value in section.items():
        yield ".".join((*path, key))
        yield from places(value, (*path, key)) if isinstance(value, dict) else ()


UNKNOWN_KEYS = [
    ("ensemble", "seed", "seeds, epochs"),
    ("datasets.digits", "size", "recipes, swav, ensemble, source, test_fraction"),
    ("datasets.noisy", "npz", "recipes, swav, ensemble, base, per_class, flip_labels"),
    ("datasets.noisy.ensemble", "seed", "seeds, epochs"),
    ("recipes.small.optimiser", "beta", "name, lr, momentum, nesterov, weight_decay"),
    ("recipes.small.augmentation", "shear", "crop_padding, flip, rotation"),
    ("recipes.small.normalise", "var", "mean, std"),
    ("experiments", "window", "sliding_window"),
    ("experiments.sliding_window", "start", "size, starts, seeds, metrics, missing_classes"),
]
SOURCES = "should have either `source:` one of digits, cifar10, cifar100, npz, imagefolder, or `base:` another data set"
SCHEDULES = "should be a section with `name:` one of constant, onecycle, cosine, steps, plateau"
NESTEROV = {"name": "sgd", "lr": 0.1, "momentum": 0, "nesterov": True}
TAKEN = "the name is taken by the baseline; choose another"
WRONG_VALUES = [
    # wrong types
    ("seed", "many", "should be a whole number, not 'many'"),
    ("ensemble.seeds", 2.5, "should be a whole number, not 2.5"),
    ("ensemble", None, "should be a section with the keys seeds, epochs, not nothing"),
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
    ("swav.small.elbow", [2, 3, 4], "should hold 2 or fewer, not [2, 3, 4]"),
    ("swav.small.elbow", [9, 2], "should be a smallest and a largest number, at least 2 apart, not [9, 2]"),
    ("recipes.small.normalise", {"mean": [0, 0], "std": [1]}, "mean has 2 numbers, std has 1; give each one per channel"),
    ("recipes.small.optimiser", NESTEROV, "nesterov needs a momentum greater than 0"),
    # names that do not exist, or are taken
    ("datasets.digits.swav", "big", "there is no swav section 'big'; accepted: small"),
    ("datasets.noisy.base", "mnist", "there is no data set 'mnist'; accepted: digits, noisy, photos, local"),
    ("datasets.noisy.base", "noisy", "noisy -> noisy is a circle; name another data set"),
    ("metrics.el2m", None, f"there is no metric 'el2m'; accepted: {', '.join(metric_files.names())}"),
    ("experiments.sliding_window.metrics", ["std"], "there is no metric 'std'; accepted: el2n, km"),
    ("experiments.sliding_window.metrics", ["random"], "random is a baseline and always drawn; leave it out"),
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
    ("metrics.el2n", {"epoc": 1}, "metrics.el2n.epoc: unknown; accepted: function, epoch"),
]


@pytest.mark.parametrize(("section", "key", "accepted"), UNKNOWN_KEYS)
def test_an_unknown_key_is_refused_with_the_accepted_ones(section, key, accepted):
    assert complaints(changed(f"{section}.{key}", 1)) == [f"{section}: unknown key {key!r}; accepted: {accepted}"]


def test_an_unknown_key_of_the_file_itself_is_refused():
    sections = "seed, device, datasets, recipes, swav, ensemble, metrics, experiments"
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
    assert line.startswith("should be a section with the keys seed, device, datasets, ")


def test_the_study_gives_defaults_variants_and_ensembles():
    study = parse_study(changed("metrics.early", {"function": "el2n", "epoch": 2}))
    assert study.metric_function("early") == "el2n"
    assert study.metric_parameters("early") == {"epoch": 2}
    assert study.metric_parameters("el2n") == {"epoch": "last"}
    assert study.metric_parameters("km") == {"features": "prototypes", "k": 3}
    assert (study.ensemble_of("digits").epochs, study.ensemble_of("noisy").epochs) == (6, 4)
    assert study.swept_metrics() == ["el2n"]


def test_all_sweeps_every_metric_but_the_baseline():
    assert parse_study(changed("experiments.sliding_window.metrics", "all")).swept_metrics() == ["el2n", "km"]


def test_a_number_that_yaml_takes_for_text_is_a_number():
    assert yaml.safe_load("1e-3") == "1e-3"
    assert parse_study(changed("recipes.small.optimiser.lr", "1e-3")).recipes["small"].optimiser.lr == 0.001


def test_sections_survive_the_way_through_plain_values():
    study = parse_study(STUDY)
    assert Study.model_validate(plain(study)) == study
    assert Recipe.model_validate(plain(study.recipes["small"])) == study.recipes["small"]


def test_the_shipped_config_is_valid():
    assert "digits" in parse_study(yaml.safe_load((PROJECT / "config.yaml").read_text())).datasets


def test_the_schema_file_is_the_one_of_the_code():
    assert (PROJECT / "workflow/schemas/config.schema.yaml").read_text() == schema_text()


def test_the_schema_accepts_the_shipped_config_and_refuses_an_unknown_key():
    schema = yaml.safe_load(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    shipped = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert [error.message for error in validator.iter_errors(shipped)] == []
    assert not validator.is_valid(shipped | {"sed": 1})
    assert not validator.is_valid(STUDY | {"metrics": {"el2n": 3}})
