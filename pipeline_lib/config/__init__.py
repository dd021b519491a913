"""The study: `config.yaml` as typed, checked objects. One parse, one place for defaults.

`python -m pipeline_lib.config` prints the JSON schema (kept in workflow/schemas/config.schema.yaml for editors).
"""

from pipeline_lib.config.cluster import Cluster
from pipeline_lib.config.datasets import Cifar, Dataset, Derived, Digits, ImageFolder, Npz
from pipeline_lib.config.experiments import SWEPT, VARIED
from pipeline_lib.config.parse import parse_study, schema_text
from pipeline_lib.config.recipes import (
    Adam,
    Augmentation,
    Constant,
    Cosine,
    Ensemble,
    GrandFull,
    OneCycle,
    Plateau,
    Recipe,
    Sgd,
    Steps,
    Swav,
)
from pipeline_lib.config.robustness import Attack, Robustness
from pipeline_lib.config.section import BASELINES, CHECKPOINT_SECONDS, MODELS, NAME, REPEATED, UNSCORED, plain
from pipeline_lib.config.study import Study

__all__ = [
    "BASELINES",
    "CHECKPOINT_SECONDS",
    "MODELS",
    "NAME",
    "REPEATED",
    "SWEPT",
    "UNSCORED",
    "VARIED",
    "Adam",
    "Attack",
    "Augmentation",
    "Cifar",
    "Cluster",
    "Constant",
    "Cosine",
    "Dataset",
    "Derived",
    "Digits",
    "Ensemble",
    "GrandFull",
    "ImageFolder",
    "Npz",
    "OneCycle",
    "Plateau",
    "Recipe",
    "Robustness",
    "Sgd",
    "Steps",
    "Study",
    "Swav",
    "parse_study",
    "plain",
    "schema_text",
]
