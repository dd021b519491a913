"""A small study that is valid, and what changes it."""

import copy

import pytest

from pipeline_lib.config import parse_study
from pipeline_lib.config.diet import ScoreEpoch, SeedCounts, Transfer
from pipeline_lib.config.experiments import Experiments
from pipeline_lib.errors import PipelineError

GONE = object()
SWITCHED_ON = {"score_epoch": ScoreEpoch(), "seeds": SeedCounts(), "transfer": Transfer(datasets=["other"])}


def experiment_section(name):
    """The section of an experiment with its defaults, whether or not it is null by default."""
    return SWITCHED_ON[name] if name in SWITCHED_ON else getattr(Experiments(), name)


STUDY = {
    "datasets": {
        "digits": {
            "source": "digits",
            "experiments": {"sliding_window": {"starts": [0.6]}, "label_noise": {"noisy": "noisy"}},
        },
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
    "experiments": {
        "sliding_window": {"size": 0.4, "starts": [0, 0.6], "metrics": ["el2n"]},
        "prune_easiest": {"shares": [0.2, 0.5], "balanced": [False, True], "budget": ["epochs", "steps"]},
        "prune_stratified": {"shares": [0.3], "cutoffs": [0.2]},
        "clusters": {"k": [5, "classes"], "features": "backbone"},
        "curriculum": {"begin": 0.5},
    },
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
