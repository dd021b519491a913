"""The study: everything in one config file, and the names that its sections use of one another."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline_lib import metrics as metric_files
from pipeline_lib.config.cluster import Cluster
from pipeline_lib.config.datasets import Dataset, Derived
from pipeline_lib.config.experiment import Experiment
from pipeline_lib.config.experiments import SWEPT, VARIED, Experiments, LabelNoise
from pipeline_lib.config.recipes import Ensemble, Recipe, Swav
from pipeline_lib.config.section import BASELINES, CHECKPOINT_SECONDS, Name, Section
from pipeline_lib.config.variants import variants
from pipeline_lib.errors import one_of

# a metric's bare name has no parameters
Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=dict[str, Any] | None)
]

COUNTED_IN_EPOCHS = ("epoch", "early", "late", "window")  # parameters of metrics that cannot exceed what was recorded
# the metrics of the experiment `clusters` need no line of their own: km_prototypes_5, km_backbone_classes
CLUSTER_METRIC = re.compile(r"km_(?P<features>prototypes|backbone)_(?P<k>\d+|classes|elbow)")


class Study(Section):
    """Everything in one config file."""

    seed: Annotated[int, Field(ge=0, description="all randomness derives from it")] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_seconds: Annotated[
        float, Field(ge=0, description="an interrupted training goes on from a state that is older by at most this and one epoch")
    ] = CHECKPOINT_SECONDS
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    swav: dict[Name, Swav] = {}
    ensemble: Ensemble = Ensemble()
    metrics: Annotated[dict[Name, Parameters], Field(min_length=1)]
    experiments: Experiments = Experiments()
    cluster: Cluster = Cluster()

    @model_validator(mode="before")
    @classmethod
    def _datasets_change_single_keys(cls, values: Any) -> Any:
        """Lay a data set's own `experiments` over the study's."""
        if not isinstance(values, dict) or not isinstance(values.get("datasets"), dict):
            return values
        datasets = {name: _laid_over(section, values.get("experiments")) for name, section in values["datasets"].items()}
        return values | {"datasets": datasets}

    @model_validator(mode="after")
    def _names_exist(self) -> "Study":
        for name, dataset in self.datasets.items():
            for purpose, recipe in dataset.recipes:
                _known(recipe, self.recipes, f"datasets.{name}.recipes.{purpose}", "recipe")
            if dataset.swav is not None:
                _known(dataset.swav, self.swav, f"datasets.{name}.swav", "swav section")
            if isinstance(dataset, Derived):
                self._check_bases(name)
        for name in self.metrics:
            if name in BASELINES and self.metric_function(name) != "random":
                raise ValueError(f"metrics.{name}: the name is taken by the baseline; choose another")
            self._check_metric(name)
        for where, experiments in self._experiments():
            for experiment in SWEPT:
                if experiment not in VARIED and getattr(experiments, experiment) is not None:
                    self._check_swept(f"{where}.{experiment}.metrics", getattr(experiments, experiment))
        for name in self.datasets:
            self._check_noisy(name)
            self._check_quotas(name)
            self._check_varied(name)
        return self

    def _experiments(self) -> Iterator[tuple[str, Experiments]]:
        """Yield every `experiments` section and where it stands."""
        yield "experiments", self.experiments
        for name, dataset in self.datasets.items():
            if dataset.experiments is not None:
                yield f"datasets.{name}.experiments", dataset.experiments

    def _check_swept(self, key: str, experiment: Experiment) -> None:
        for name in [] if experiment.metrics == "all" else experiment.metrics:
            if name in BASELINES:
                raise ValueError(f"{key}: {name} is a baseline and always drawn; leave it out")
            _known(name, [known for known in self.metrics if known not in BASELINES], key, "metric")

    def _check_varied(self, name: str) -> None:
        for experiment in VARIED:
            if getattr(self.experiments_of(name), experiment) is not None:
                try:
                    self.variants(name, experiment)
                except ValueError as error:
                    raise ValueError(f"datasets.{name}.experiments.{experiment}: {error}") from None

    def _check_noisy(self, name: str) -> None:
        noisy, key = self.experiments_of(name).label_noise.noisy, f"datasets.{name}.experiments.label_noise.noisy"
        if noisy is None:
            return
        _known(noisy, self.datasets, key, "data set")
        section = self.datasets[noisy]
        if not isinstance(section, Derived) or section.base != name or section.flip_labels is None or section.fewer:
            raise ValueError(f"{key}: {noisy} should have `base: {name}` and `flip_labels:`, so that only labels differ")
        if section.recipes != self.datasets[name].recipes:
            raise ValueError(f"{key}: {noisy} should have the recipes of {name}, so that only labels differ")
        clean, wrong = (self.experiments_of(dataset).sliding_window for dataset in (name, noisy))
        for setting in ("size", "starts", "budget", "balanced"):
            if getattr(clean, setting) != getattr(wrong, setting):
                raise ValueError(f"{key}: {noisy} should have the sliding_window.{setting} of {name}, so that only labels differ")

    def _check_quotas(self, name: str) -> None:
        experiments, key = self.experiments_of(name), f"datasets.{name}.experiments"
        section, swept = experiments.pruning_imbalanced, experiments.prune_easiest
        if section is None:
            return
        if set(swept.balanced) != {False, True}:
            raise ValueError(f"{key}.prune_easiest.balanced: should be [false, true], because pruning_imbalanced draws both")
        if section.share not in swept.shares:
            accepted = one_of(swept.shares)
            raise ValueError(
                f"{key}.pruning_imbalanced.share: should be one of prune_easiest.shares ({accepted}), not {section.share}"
            )

    def wrong_labels_of(self, dataset: str) -> str | None:
        """Return the data set whose wrong labels are known and whose scores are tested on them: the twin, or itself; or None."""
        twin = self.experiments_of(dataset).label_noise.noisy
        section = self.datasets[dataset]
        while twin is None and isinstance(section, Derived):
            if section.flip_labels is not None:
                return dataset
            section = self.datasets[section.base]
        return twin

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
        self._check_recorded(name, metric_files.parameters(function) | given)

    def _check_recorded(self, name: str, parameters: dict[str, Any]) -> None:
        shortest = min(self.datasets, key=lambda dataset: self.ensemble_of(dataset).epochs)
        recorded = self.ensemble_of(shortest).epochs
        for key in COUNTED_IN_EPOCHS:
            value = parameters.get(key)
            if isinstance(value, int) and value > recorded:
                raise ValueError(
                    f"metrics.{name}.{key}: should be at most {recorded}, the epochs of the ensemble of {shortest}, not {value}"
                )

    def has_metric(self, name: str) -> bool:
        """Whether a metric is configured, or one that the experiment `clusters` brings along."""
        return name in self.metrics or CLUSTER_METRIC.fullmatch(name) is not None

    def metric_function(self, metric: str) -> str:
        """Return the name of the file in pipeline_lib/metrics that computes a metric."""
        return self._entry(metric).get("function", metric)

    def metric_parameters(self, metric: str) -> dict[str, Any]:
        """Return every parameter of a metric, defaults filled in."""
        given = {key: value for key, value in self._entry(metric).items() if key != "function"}
        return metric_files.parameters(self.metric_function(metric)) | given

    def _entry(self, metric: str) -> dict[str, Any]:
        if metric in self.metrics:
            return self.metrics[metric]
        found = CLUSTER_METRIC.fullmatch(metric).groupdict()
        return {"function": "km", **found, "k": int(found["k"]) if found["k"].isdigit() else found["k"]}

    def ensemble_of(self, dataset: str) -> Ensemble:
        """Return the ensemble of a data set: its own section, or the study's."""
        return self.datasets[dataset].ensemble or self.ensemble

    def experiments_of(self, dataset: str) -> Experiments:
        """Return the experiments of a data set: the study's, with the keys that its own section, or its base's, changes."""
        section = self.datasets[dataset]
        if section.experiments is not None or not isinstance(section, Derived):
            return section.experiments or self.experiments
        return self.experiments_of(section.base).model_copy(update={"label_noise": LabelNoise()})

    def swept(self, dataset: str) -> list[str]:
        """Return the experiments that a data set trains for: all but those whose section is null."""
        return [name for name in SWEPT if getattr(self.experiments_of(dataset), name) is not None]

    def variants(self, dataset: str, experiment: str) -> dict[str, dict[float | str, Recipe]]:
        """Return what an experiment varies of the recipe -> value -> the recipe with it; nothing if it varies the subset."""
        if experiment not in VARIED:
            return {}
        section = getattr(self.experiments_of(dataset), experiment)
        return variants(section, self.recipes[self.datasets[dataset].recipes.training])

    def swept_metrics(self, dataset: str, experiment: str) -> list[str]:
        """Return the metrics that an experiment trains by, without the baselines; or what it varies of the recipe."""
        if experiment in VARIED:
            return list(self.variants(dataset, experiment))
        settings = getattr(self.experiments_of(dataset), experiment)
        if experiment == "clusters":
            return [f"km_{settings.features}_{k}" for k in settings.k]
        return [name for name in self.metrics if name not in BASELINES] if settings.metrics == "all" else list(settings.metrics)


def _laid_over(dataset: Any, experiments: Any) -> Any:
    """Return a data set's section with whole experiments, if it changes any and all of them are sections or switched off."""
    own = dataset.get("experiments") if isinstance(dataset, dict) else None
    if not isinstance(own, dict) or not all(section is None or isinstance(section, dict) for section in own.values()):
        return dataset
    experiments = experiments if isinstance(experiments, dict) else {}  # who is wrong is told where it stands
    base = {name: section for name, section in experiments.items() if isinstance(section, dict)}
    laid = {name: section if section is None else base.get(name, {}) | section for name, section in own.items()}
    return dataset | {"experiments": base | laid}


def _known(name: str, accepted, key: str, what: str) -> None:
    if name not in accepted:
        raise ValueError(f"{key}: there is no {what} {name!r}; accepted: {one_of(accepted)}")
