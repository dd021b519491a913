"""Experiments that change the recipe: which recipes they try, and what is said of keys and values that do not fit."""

import re

import pytest

from pipeline_lib.config import Recipe, parse_study, plain
from pipeline_lib.config.variants import Balancing, RecipeSweep, change, variants
from tests.unit.studies import STUDY, changed, complaints

RECIPE = Recipe.model_validate(
    {
        "model": "small_cnn",
        "optimiser": {"name": "sgd", "lr": 0.1, "nesterov": True, "weight_decay": 5e-4},
        "schedule": {"name": "onecycle", "warmup": 0.3},
        "epochs": 2,
        "batch": 8,
    }
)
KEYS = ", ".join(f"recipe.{name}" for name in Recipe.model_fields)
NO_KEY = f"values: no recipe has a key {{!r}}; accepted: {KEYS}, and keys below them"


def tried(**values):
    return variants(RecipeSweep(values={f"recipe.{key.replace('__', '.')}": given for key, given in values.items()}), RECIPE)


def test_each_key_is_varied_alone():
    found = tried(optimiser__lr=[0.01, 0.1], batch=[8, 64])
    assert {name: list(points) for name, points in found.items()} == {"optimiser_lr": [0.01, 0.1], "batch": [8, 64]}
    own = plain(RECIPE)
    assert plain(found["batch"][64]) == own | {"batch": 64}
    assert plain(found["optimiser_lr"][0.01]) == own | {"optimiser": own["optimiser"] | {"lr": 0.01}}
    assert found["batch"][8] == found["optimiser_lr"][0.1] == RECIPE, "the recipe's own values are the recipe: trained once"


def test_values_are_called_what_the_recipe_then_holds():
    assert list(tried(optimiser__lr=["1e-3", 1])["optimiser_lr"]) == [0.001, 1.0], "YAML reads 1e-3 as text"
    assert list(tried(augmentation__flip=[True, False])["augmentation_flip"]) == ["on", "off"]
    assert list(tried(normalise=["none", {"mean": [0.5], "std": [0.2]}])["normalise"]) == ["none", "mean [0.5], std [0.2]"]
    sections = tried(optimiser=[{"name": "adam", "lr": "1e-3"}, {"name": "sgd", "lr": 1, "momentum": 0}])["optimiser"]
    assert list(sections) == ["adam, lr 0.001", "sgd, lr 1.0, momentum 0.0"]
    assert plain(sections["adam, lr 0.001"].optimiser) == {"name": "adam", "lr": 0.001, "weight_decay": 0}


def test_another_optimiser_keeps_what_it_has_a_key_for():
    found = tried(optimiser__name=["sgd", "adam"])["optimiser_name"]
    assert found["sgd"] == RECIPE
    assert plain(found["adam"].optimiser) == {"name": "adam", "lr": 0.1, "weight_decay": 5e-4}
    back = change(found["adam"], "optimiser.name", "sgd")
    assert plain(back.optimiser) == {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 5e-4}


def test_another_schedule_keeps_what_it_has_a_key_for():
    found = tried(schedule__name=["cosine", "constant"])["schedule_name"]
    assert plain(found["cosine"].schedule) == {"name": "cosine", "warmup": 0.3}
    assert plain(found["constant"].schedule) == {"name": "constant"}


def test_every_way_of_balancing_is_a_sweep_of_its_own():
    found = variants(Balancing(), RECIPE)
    assert {name: [plain(recipe) for recipe in points.values()] for name, points in found.items()} == {
        name: [plain(RECIPE) | {"balance": name}] for name in ("none", "weighted_loss", "sampler", "logit_adjustment")
    }
    assert all(list(points) == [name] for name, points in found.items())
    assert found["none"]["none"] == RECIPE, "the plain recipe on all data, which other experiments call full"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"optimiser__lr": [0.1, 0]}, "recipe.optimiser.lr: should be greater than 0, not 0"),
        ({"optimiser__lr": ["fast"]}, "recipe.optimiser.lr: should be a number, not 'fast'"),
        ({"optimiser__lr": [0.1, "1e-1"]}, "recipe.optimiser.lr: 0.1 is given twice"),
        ({"batch": [8, 8]}, "recipe.batch: 8 is given twice"),
        ({"optimiser": [{"name": "adam"}, {"name": "adam", "lr": 1e-3}]}, "recipe.optimiser: adam, lr 0.001 is given twice"),
        ({"batch": [1]}, "recipe.batch: should be at least 2, not 1"),
        ({"batch": [True]}, "recipe.batch: recipe: batch should be a number, not True"),
        (
            {"model": ["big"]},
            "recipe.model: should be 'small_cnn', 'resnet18_cifar', 'resnet18', 'resnet32', 'plain18' or 'one_conv', not 'big'",
        ),
        (
            {"optimiser__rate": [1]},
            "recipe.optimiser.rate: recipe.optimiser: unknown key 'rate'; accepted: name, lr, momentum, nesterov, weight_decay",
        ),
        (
            {"optimiser__name": ["lion"]},
            "recipe.optimiser.name: recipe.optimiser: should be a section with `name:` one of adam, sgd, not {'name': 'lion'}",
        ),
        ({"optimiser__momentum": [0]}, "recipe.optimiser.momentum: recipe.optimiser: nesterov needs a momentum greater than 0"),
        ({"schedule__name": ["steps"]}, "recipe.schedule.name: recipe.schedule.epochs: must be given"),
        (
            {"normalise__mean": [[0.5]]},
            "recipe.normalise.mean: recipe.normalise has no keys below it in this recipe; it is 'dataset'",
        ),
    ],
)
def test_a_value_that_the_recipe_refuses_is_named_with_its_key(values, line):
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        tried(**values)


@pytest.mark.parametrize(
    ("experiment", "section", "line"),
    [
        ("imbalance", {"balance": ["sampler"]}, "balance: should hold none, with which the others are compared"),
        ("imbalance", {"balance": ["none", "none"]}, "balance: none is given twice"),
        ("sweep", {"values": {"recipe.learning_rate": [1]}}, NO_KEY.format("recipe.learning_rate")),
        ("sweep", {"values": {"optimiser.lr": [1]}}, NO_KEY.format("optimiser.lr")),
        ("sweep", {"values": {"recipe.": [1]}}, NO_KEY.format("recipe.")),
    ],
)
def test_what_is_wrong_in_the_section_itself_is_said_where_it_stands(experiment, section, line):
    assert complaints(changed(f"experiments.{experiment}", section)) == [f"experiments.{experiment}: {line}"]


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({"values": {}}, "values: should hold 1 or more, not nothing"),
        ({"values": {"recipe.batch": []}}, "values.recipe.batch: should hold 1 or more, not nothing"),
        ({"values": {"recipe.batch": 8}}, "values.recipe.batch: should be a list, not 8"),
        ({"validation": 1}, "validation: should be less than 1, not 1"),
        ({"validation": 0}, "validation: should be greater than 0, not 0"),
        ({"seeds": 0}, "seeds: should be at least 1, not 0"),
    ],
)
def test_a_key_of_the_sweep_out_of_range(section, line):
    assert complaints(changed("experiments.sweep", section)) == [f"experiments.sweep.{line}"]


def test_a_value_that_a_recipe_refuses_stops_the_study_naming_data_set_and_key():
    study = changed("datasets.local.experiments", {"sweep": {"values": {"recipe.batch": [8, 1]}}})
    assert complaints(study) == ["datasets.local.experiments.sweep: recipe.batch: should be at least 2, not 1"]


def test_a_data_set_sweeps_what_its_section_varies():
    section = {"sweep": {"values": {"recipe.batch": [8, 4]}}, "imbalance": {"balance": ["none", "sampler"]}}
    study = parse_study(changed("datasets.local.experiments", section))
    assert study.swept_metrics("local", "sweep") == ["batch"]
    assert study.swept_metrics("local", "imbalance") == ["none", "sampler"]
    assert {"sweep", "imbalance"} <= set(study.swept("local"))
    assert not {"sweep", "imbalance"} & set(study.swept("photos")), "off where they are not named"
    assert study.variants("local", "prune_easiest") == {}


def test_a_study_without_them_varies_nothing():
    assert not {"sweep", "imbalance"} & set(parse_study(STUDY).swept("digits"))


def test_a_data_set_may_switch_off_what_the_study_switches_on_and_keeps_the_rest():
    study = changed("experiments.sweep", {"values": {"recipe.batch": [8, 4]}})
    study["datasets"]["local"]["experiments"] = {"sweep": None, "prune_easiest": {"seeds": 7}}
    parsed = parse_study(study)
    assert "sweep" in parsed.swept("photos")
    assert "sweep" not in parsed.swept("local")
    assert parsed.experiments_of("local").prune_easiest.seeds == 7
    assert parsed.experiments_of("local").prune_easiest.shares == [0.2, 0.5], "the study's"
