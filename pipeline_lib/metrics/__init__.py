"""Difficulty metrics: one file each, found by name, never imported together.

A metric file holds its definition as a docstring, the constants below and one pure function `score`:

    NEEDS    "dynamics" (recorded trainings), "clusters" (k-means on SwAV features) or "examples" (only their number)
    FORMULA  the definition in one line
    RANGE    the values a score can take, lowest to highest
    READS    (clusters only) which clustering it reads, by parameter, with defaults
    SEEDS    (optional) the fewest seeds of the ensemble that it can work with
    CHECKS   (optional) parameter -> function that raises ValueError for a value it cannot take

A function `caveat(**parameters)` may return a sentence that must stand beside such scores, or "".

`score(source, **parameters)` returns one number per training example, shape (N,), float64, finite, higher = harder.
"""

import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

from pipeline_lib.errors import PipelineError, one_of

# what a metric reads -> the module whose `open_source` opens it; by name, so that editing one leaves the others' metrics alone
SOURCES = {"dynamics": "pipeline_lib.dynamics", "clusters": "pipeline_lib.features", "examples": None}


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
    own = {p.name: p.default for p in keywords if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name != "rng"}
    return getattr(module, "READS", {}) | own


def fewest_seeds(name: str) -> int:
    """Return how many seeds a metric needs at least."""
    return getattr(load(name), "SEEDS", 1)


def caveat(name: str, values: dict[str, Any]) -> str:
    """Return what must be said beside the scores of a metric with these parameters, or ""."""
    module = load(name)
    return module.caveat(**values) if hasattr(module, "caveat") else ""


def check(name: str, parameter: str, value: Any) -> None:
    """Check one parameter value.

    Raises:
        ValueError: the metric cannot take it.
    """
    checks = getattr(load(name), "CHECKS", {})
    if parameter in checks:
        checks[parameter](value)
