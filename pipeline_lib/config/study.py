"""The study: everything in one config file, and the names that its sections use of one another."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag, model_validator

from pipeline_lib import metrics as metric_files
from pipeline_lib.config.datasets import Dataset, Derived
from pipeline_lib.config.recipes import Ensemble, Recipe, Swav
from pipeline_lib.config.section import BASELINES, Name, PositiveShare, Section, Share, word_or
from pipeline_lib.errors import one_of


class SlidingWindow(Section):
    """Train on windows of the examples in the order of their difficulty."""

    size: PositiveShare = 0.4
    starts: Annotated[list[Share], Field(min_length=1)] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    seeds: Annotated[int, Field(ge=1, description="trainings per point")] = 3
    metrics: Annotated[
        Annotated[list[str], Field(min_length=1), Tag("(other)")] | Annotated[Literal["all"], Tag("(word)")],
        word_or(list, ("all",), "a list of metrics"),
        Field(description="`all`: every configured metric but the baseline `random`"),
    ] = "all"
    missing_classes: Annotated[
        Literal["error", "allow"], Field(description="what to do when a class has no example in a kept subset")
    ] = "error"

    @model_validator(mode="after")
    def _windows_fit_and_differ(self) -> "SlidingWindow":
        for start in self.starts:
            if start + self.size > 1 + 1e-9:
                raise ValueError(
                    f"the window {start} + {self.size} leaves the data; starts must be at most {round(1 - self.size, 10)}"
                )
        for key, values in (("starts", self.starts), ("metrics", [] if self.metrics == "all" else self.metrics)):
            for position, value in enumerate(values):
                if value in values[:position]:
                    raise ValueError(f"{key}: {value} is given twice")
        return self


class Experiments(Section):
    """Every experiment has a section of its own."""

    sliding_window: SlidingWindow = SlidingWindow()


# a metric's bare name has no parameters
Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=dict[str, Any] | None)
]


class Study(Section):
    """Everything in one config file."""

    seed: Annotated[int, Field(ge=0, description="all randomness derives from it")] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    swav: dict[Name, Swav] = {}
    ensemble: Ensemble = Ensemble()
    metrics: Annotated[dict[Name, Parameters], Field(min_length=1)]
    experiments: Experiments = Experiments()

    @model_validator(mode="after")
    def _names_exist(self) -> "Study":
        for name, dataset in self.datasets.items():
            for purpose, recipe in dataset.recipes:
                _known(recipe, self.recipes, f"datasets.{name}.recipes.{purpose}", "recipe")
            _known(dataset.swav, self.swav, f"datasets.{name}.swav", "swav section")
            if isinstance(dataset, Derived):
                self._check_bases(name)
        for name in self.metrics:
            if name in BASELINES and self.metric_function(name) != "random":
                raise ValueError(f"metrics.{name}: the name is taken by the baseline; choose another")
            self._check_metric(name)
        swept = self.experiments.sliding_window.metrics
        for name in [] if swept == "all" else swept:
            if name in BASELINES:
                raise ValueError(f"experiments.sliding_window.metrics: {name} is a baseline and always drawn; leave it out")
            accepted = [known for known in self.metrics if known not in BASELINES]
            _known(name, accepted, "experiments.sliding_window.metrics", "metric")
        return self

    def _check_bases(self, name: str) -> None:
        seen = [name]
        while isinstance(self.datasets[seen[-1]], Derived):
            base = self.datasets[seen[-1]].base
            _known(base, self.datasets, f"datasets.{seen[-1]}.base", "data set")
            if base in seen:
                raise ValueError(f"datasets.{name}.base: {' -> '.join([*seen, base])} is a circle; name another data set")
            seen.append(base)

    def _check_metric(self, name: str) -> None:
        given = self.metrics[name]
        function = given.get("function", name)
        _known(function, metric_files.names(), f"metrics.{name}" + (".function" if "function" in given else ""), "metric")
        accepted = metric_files.parameters(function)
        for key, value in given.items():
            if key == "function":
                continue
            if key not in accepted:
                raise ValueError(f"metrics.{name}.{key}: unknown; accepted: {one_of(['function', *accepted])}")
            try:
                metric_files.check(function, key, value)
            except ValueError as error:
                raise ValueError(f"metrics.{name}.{key}: {error}") from None
        self._check_recorded(name, given.get("epoch"))

    def _check_recorded(self, name: str, epoch: Any) -> None:
        shortest = min(self.datasets, key=lambda dataset: self.ensemble_of(dataset).epochs)
        recorded = self.ensemble_of(shortest).epochs
        if isinstance(epoch, int) and epoch > recorded:
            raise ValueError(
                f"metrics.{name}.epoch: should be at most {recorded}, the epochs of the ensemble of {shortest}, not {epoch}"
            )

    def metric_function(self, metric: str) -> str:
        """Return the name of the file in pipeline_lib/metrics that computes a configured metric."""
        return self.metrics[metric].get("function", metric)

    def metric_parameters(self, metric: str) -> dict[str, Any]:
        """Return every parameter of a configured metric, defaults filled in."""
        given = {key: value for key, value in self.metrics[metric].items() if key != "function"}
        return metric_files.parameters(self.metric_function(metric)) | given

    def ensemble_of(self, dataset: str) -> Ensemble:
        """Return the ensemble of a data set: its own section, or the study's."""
        return self.datasets[dataset].ensemble or self.ensemble

    def swept_metrics(self) -> list[str]:
        """Return the metrics that the sliding window draws."""
        swept = self.experiments.sliding_window.metrics
        return [name for name in self.metrics if name not in BASELINES] if swept == "all" else list(swept)


def _known(name: str, accepted, key: str, what: str) -> None:
    if name not in accepted:
        raise ValueError(f"{key}: there is no {what} {name!r}; accepted: {one_of(accepted)}")
