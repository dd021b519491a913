"""Difficulty metrics: one file each, found by name, never imported together.

A metric file holds its definition as a docstring, the constants below and one pure function `score`:

    NEEDS    "dynamics" (recorded trainings), "clusters" (k-means on SwAV features), "images" or "examples" (only their number)
    FORMULA  the definition in one line
    RANGE    the values a score can take, lowest to highest
    READS    (clusters only) which clustering it reads, by parameter, with defaults
    SEEDS    (optional) the fewest seeds of the ensemble that it can work with
    EPOCHS   (optional) the fewest epochs that it can work with; without it, untrained networks will do
    RECORDED (optional) why it is not there after every epoch: "end" (recorded at the end alone), "grand_full" (when the section of
             that name in the ensemble says)
    PASSES   (optional) how many of the recorded passes over the examples it reads; without it, one where it takes an `epoch`, else
             one after every epoch
    CHECKS   (optional) parameter -> function that raises ValueError for a value it cannot take

A function `caveat(**parameters)` may return a sentence that must stand beside such scores, or "".

Whoever reads dynamics takes the parameters `until` (epochs) and `seeds` as well (READS of pipeline_lib.dynamics): they choose
what is opened, and no metric file knows of them.

`score(source, **parameters)` returns one number per training example, shape (N,), float64, finite, higher = harder.
"""

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline_lib.errors import PipelineError, one_of

# what a metric reads -> the module whose `open_source` opens it; by name, so that editing one leaves the others' metrics alone
SOURCES = {
    "dynamics": "pipeline_lib.dynamics",
    "clusters": "pipeline_lib.features",
    "images": "pipeline_lib.images",
    "examples": None,
}

UNTRAINED = (
    "scores of untrained networks: nothing was learned yet, so such a score must beat the norm of the input, with which GraNd at "
    "initialisation had a rank correlation of .96 while it pruned worse than random (Kirsch 2023)"
)


def names() -> list[str]:
    """Return the names of all metrics there are: the files of this folder."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def load(name: str) -> ModuleType:
    """Import one metric file.

    Raises:
        PipelineError: it cannot be imported, or does not say what a metric must say.
    """
    file = f"pipeline_lib/metrics/{name}.py"
    try:
        module = importlib.import_module(f"{__name__}.{name}")
    except (SyntaxError, ImportError, NameError) as error:
        raise PipelineError(f"{file} cannot be imported: {error}") from error
    lacking = [part for part in ("NEEDS", "FORMULA", "RANGE", "score") if not hasattr(module, part)]
    if lacking:
        raise PipelineError(f"{file} lacks {one_of(lacking)}; pipeline_lib/metrics/__init__.py says what a metric file holds")
    if module.NEEDS not in SOURCES:
        raise PipelineError(f"{file}: NEEDS is {module.NEEDS!r}; accepted: {one_of(SOURCES)}")
    return module


def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a metric with their defaults."""
    module = load(name)
    keywords = inspect.signature(module.score).parameters.values()
    taken = {p.name: p.default for p in keywords if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name != "rng"}
    return getattr(module, "READS", {}) | taken


def reading(name: str) -> dict[str, Any]:
    """Return the parameters of a metric that choose what is opened for it and never reach its `score`, with their defaults."""
    return _reading(load(name))


def _reading(module: ModuleType) -> dict[str, Any]:
    return getattr(module, "READS", {}) | _of_source(module, "READS")


def _of_source(module: ModuleType, what: str) -> dict[str, Any]:
    """Return a table of the module that opens what a metric reads; empty if it has none."""
    source = SOURCES[module.NEEDS]
    return getattr(importlib.import_module(source), what, {}) if source else {}


def own(module: ModuleType, values: dict[str, Any]) -> dict[str, Any]:
    """Return those parameters that the metric's `score` takes itself."""
    chosen = _reading(module)
    return {key: value for key, value in values.items() if key not in chosen}


def fewest_epochs(name: str, values: dict[str, Any]) -> int:
    """Return how many epochs a metric with these parameters needs at least; 0: untrained networks will do."""
    early = values.get("early")
    return max(getattr(load(name), "EPOCHS", 0), values.get("window", 0), early + 1 if isinstance(early, int) else 0)


def last_epoch(values: dict[str, Any]) -> int | None:
    """Return after how many epochs an ensemble for a metric with these parameters could end; None: it needs all."""
    asked = [values[key] for key in ("epoch", "late") if key in values]
    ends = [max(asked)] if asked and all(isinstance(epoch, int) for epoch in asked) else []
    ends += [values["until"]] if values.get("until") is not None else []
    return min(ends, default=None)


def passes(name: str, values: dict[str, Any]) -> int | None:
    """Return how many of an ensemble's recorded passes a metric with these parameters reads; None: one after every epoch."""
    return getattr(load(name), "PASSES", 1 if "epoch" in values else None)


def recorded(name: str) -> str:
    """Return why a metric is not there after every epoch ("end", "grand_full"), or ""."""
    return getattr(load(name), "RECORDED", "")


def fewest_seeds(name: str) -> int:
    """Return how many seeds a metric needs at least."""
    return getattr(load(name), "SEEDS", 1)


def caveat(name: str, values: dict[str, Any]) -> str:
    """Return what must be said beside the scores of a metric with these parameters, or ""."""
    module = load(name)
    said = module.caveat(**own(module, values)) if hasattr(module, "caveat") else ""
    return UNTRAINED if values.get("until") == 0 else said


def check(name: str, parameter: str, value: Any) -> None:
    """Check one parameter value.

    Raises:
        ValueError: the metric cannot take it.
    """
    module = load(name)
    checks = getattr(module, "CHECKS", {}) | _of_source(module, "CHECKS")
    if parameter in checks:
        checks[parameter](value)
