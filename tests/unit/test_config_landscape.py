"""What can be wrong in the sections `connectivity` and `kernel_velocity`."""

import pytest

from pipeline_lib.config import parse_study
from tests.unit.studies import changed, complaints

CONNECTIVITY = "datasets.digits.experiments.connectivity"
VELOCITY = "datasets.digits.experiments.kernel_velocity"
PLATEAU = {"name": "plateau"}


def study(path, section, recipe=None):
    made = changed(path, {"epochs": [0, 1], **section})
    made["recipes"]["small"]["schedule"] = recipe or {"name": "constant"}
    made["recipes"]["long"] = {**made["recipes"]["small"], "epochs": 9, "schedule": {"name": "constant"}}
    return made


def test_both_are_off_unless_named():
    experiments = parse_study(study(CONNECTIVITY, {})).experiments_of("noisy")
    assert experiments.connectivity is None
    assert experiments.kernel_velocity is None


@pytest.mark.parametrize(
    ("path", "section"),
    [
        (CONNECTIVITY, {"metric": "km", "pairs": 1, "points": 3, "examples": 1}),
        (VELOCITY, {"metric": "km", "seeds": 1, "examples": 2, "groups": [0.3]}),
        (VELOCITY, {"recipe": "long", "epochs": [0, 8]}),
    ],
)
def test_what_is_accepted(path, section):
    parsed = parse_study(study(path, section)).experiments_of("digits")
    found = getattr(parsed, path.split(".")[-1])
    assert {key: getattr(found, key) for key in section} == section


LANDSCAPE = [
    ("metric", "std", "{}.metric: there is no metric 'std'; accepted: el2n, km"),
    ("metric", "random", "{}.metric: there is no metric 'random'; accepted: el2n, km"),
    ("recipe", "big", "{}.recipe: there is no recipe 'big'; accepted: small, long"),
    ("epochs", [0, 2], "{}.epochs: should be at most 1, as the recipe small has 2 epochs, not 2"),
    ("epochs", [-1], "{}.epochs.0: should be at least 0, not -1"),
    ("epochs", [], "{}.epochs: should hold 1 or more, not nothing"),
    ("epochs", [1, 1], "{}: epochs: 1 is given twice"),
]
OF_CONNECTIVITY = [
    ("pairs", 0, "{}.pairs: should be at least 1, not 0"),
    ("points", 2, "{}.points: should be at least 3, not 2"),
    ("examples", 0, "{}.examples: should be at least 1, not 0"),
    ("seeds", 3, "{}: unknown key 'seeds'; accepted: metric, recipe, epochs, pairs, points, examples"),
]
OF_VELOCITY = [
    ("seeds", 0, "{}.seeds: should be at least 1, not 0"),
    ("examples", 1, "{}.examples: should be at least 2, not 1"),
    ("groups", [0, 1.5], "{}.groups.1: should be at most 1, not 1.5"),
    ("groups", [], "{}.groups: should hold 1 or more, not nothing"),
    ("groups", [0.5, 0.5], "{}: groups: 0.5 is given twice"),
    ("pairs", 3, "{}: unknown key 'pairs'; accepted: metric, recipe, epochs, examples, groups, seeds"),
]


@pytest.mark.parametrize(
    ("path", "key", "value", "words"),
    [(path, *case) for path, own in ((CONNECTIVITY, OF_CONNECTIVITY), (VELOCITY, OF_VELOCITY)) for case in LANDSCAPE + own],
)
def test_a_mistake_is_told_by_its_key(path, key, value, words):
    assert complaints(study(path, {key: value})) == [words.format(path)]


def test_children_cannot_hold_other_examples_out():
    words = "small has a plateau schedule, for which each of two networks would hold out other examples; name a recipe with another"
    assert complaints(study(CONNECTIVITY, {}, PLATEAU)) == [f"{CONNECTIVITY}.recipe: {words} schedule"]
    parse_study(study(CONNECTIVITY, {"recipe": "long"}, PLATEAU))
    parse_study(study(VELOCITY, {}, PLATEAU))
