"""The study: everything in one config file, and the names that its sections use of one another."""

import math
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline_lib import metrics as metric_files
from pipeline_lib.config import checks
from pipeline_lib.config.cluster import Cluster
from pipeline_lib.config.datasets import Dataset, Derived
from pipeline_lib.config.experiments import BEYOND, ENSEMBLE_EXPERIMENTS, REPEATED_IN, SWEPT, VARIED, Experiments, LabelNoise
from pipeline_lib.config.labels import Threshold
from pipeline_lib.config.recipes import Constant, Ensemble, Recipe, Steps, Swav
from pipeline_lib.config.section import BASELINES, CHECKPOINT_SECONDS, REPEATED, Name, Section
from pipeline_lib.config.variants import variants

# a metric's bare name has no parameters
Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=dict[str, Any] | None)
]

# the metrics of the experiment `clusters` need no line of their own: km_prototypes_5, km_backbone_classes
CLUSTER_METRIC = re.compile(r"km_(?P<features>prototypes|backbone)_(?P<k>\d+|classes|elbow)")
# nor do those of score_epoch, seeds and transfer: el2n_at_2, el2n_of_3 (and el2n_of_3_1 of the next three), el2n_from_other
EARLY_METRIC = re.compile(r"(?P<metric>\w+)_at_(?P<until>\d+)")
FEW_SEEDS_METRIC = re.compile(r"(?P<metric>\w+)_of_(?P<seeds>[1-9]\d*)(?:_(?P<group>\d+))?")
FOREIGN_METRIC = re.compile(r"(?P<metric>\w+?)_from_(?P<dataset>\w+)")
INPUT_NORM = "input_norm"  # the baseline of score_epoch, with or without a line under `metrics`


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
    threshold: Threshold = Threshold()
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
        checks.check(self)
        return self

    def experiment_sections(self) -> Iterator[tuple[str, Experiments]]:
        """Yield every `experiments` section and where it stands."""
        yield "experiments", self.experiments
        for name, dataset in self.datasets.items():
            if dataset.experiments is not None:
                yield f"datasets.{name}.experiments", dataset.experiments

    def bases_of(self, name: str) -> list[str]:
        """Return the data sets that a derived one comes from, the nearest first; those that exist."""
        found = []
        while isinstance(self.datasets.get(name), Derived) and name not in found:
            name = self.datasets[name].base
            found.append(name)
        return found

    def images_of(self, name: str) -> str:
        """Return the data set whose images and labels a data set has: its own name, or that of the one that it repeats."""
        section = self.datasets[name]
        return self.images_of(section.base) if isinstance(section, Derived) and not section.changed else name

    def ensemble_purpose(self, name: str) -> str:
        """Return what the seeds of a data set's ensemble are for; ensembles of one purpose share initial weights and orders.

        Ensembles on the same images are compared, and must be strangers to each other.
        """
        return "scoring" if self.images_of(name) == name else f"scoring of {name}"

    def knows_wrong_labels(self, name: str) -> bool:
        """Whether a data set, or one that it comes from, brings its true labels along or made labels wrong on purpose."""
        sections = [self.datasets[each] for each in (name, *self.bases_of(name)) if each in self.datasets]
        return any(getattr(each, "true_labels", False) or getattr(each, "flip_labels", None) is not None for each in sections)

    def wrong_labels_of(self, dataset: str) -> str | None:
        """Return the data set whose wrong labels are known and whose scores are tested on them: the twin, or itself; or None."""
        twin = self.experiments_of(dataset).label_noise.noisy
        return dataset if twin is None and self.knows_wrong_labels(dataset) else twin

    def has_metric(self, name: str) -> bool:
        """Whether a metric is configured, or one that an experiment brings along."""
        if name in self.metrics or name == INPUT_NORM or CLUSTER_METRIC.fullmatch(name):
            return True
        base = self.read_in_part(name)
        return base is not None and metric_files.load(self.metric_function(base)).NEEDS == "dynamics"

    def read_in_part(self, name: str) -> str | None:
        """Return the configured metric that a name asks of fewer epochs, seeds or another data set (`el2n_at_2`); or None."""
        found = FOREIGN_METRIC.fullmatch(name)
        if found and found["dataset"] not in self.datasets:
            found = None
        found = found or EARLY_METRIC.fullmatch(name) or FEW_SEEDS_METRIC.fullmatch(name)
        return found["metric"] if found and found["metric"] in self.metrics else None

    def has_features(self, dataset: str) -> bool:
        """Whether a data set has label-free features (SwAV)."""
        return self.datasets[dataset].swav is not None

    def serves(self, dataset: str, metric: str) -> bool:
        """Whether a data set can be scored by a metric: without features not by one of clusters."""
        return self.has_features(dataset) or metric_files.load(self.metric_function(metric)).NEEDS != "clusters"

    def metrics_of(self, dataset: str) -> list[str]:
        """Return the configured metrics that a data set is scored by."""
        return [metric for metric in self.metrics if self.serves(dataset, metric)]

    def scored_by(self, dataset: str, metric: str) -> str:
        """Return the data set whose ensemble a metric of a data set reads: its own, or the one that the metric's name tells."""
        found = None if metric in self.metrics else FOREIGN_METRIC.fullmatch(metric)
        return found["dataset"] if found else dataset

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
        if metric == INPUT_NORM:
            return {}
        if found := FOREIGN_METRIC.fullmatch(metric):
            return {"function": found["metric"]} | self.metrics[found["metric"]]
        if found := EARLY_METRIC.fullmatch(metric) or FEW_SEEDS_METRIC.fullmatch(metric):
            base = found["metric"]
            reading = {key: int(value) for key, value in found.groupdict().items() if key != "metric" and value is not None}
            entry = {"function": base} | self.metrics[base] | reading
            # of a training cut short, the epoch that the metric looks at is the last one left
            looks_at = {"epoch", "late"} & set(metric_files.parameters(entry["function"])) if "until" in reading else ()
            return entry | dict.fromkeys(looks_at, "last")
        found = CLUSTER_METRIC.fullmatch(metric).groupdict()
        return {"function": "km", **found, "k": int(found["k"]) if found["k"].isdigit() else found["k"]}

    def ensemble_of(self, dataset: str) -> Ensemble:
        """Return the ensemble of a data set: its own section, or the study's."""
        return self.datasets[dataset].ensemble or self.ensemble

    def experiments_of(self, dataset: str) -> Experiments:
        """Return the experiments of a data set: the study's, with the keys that its own section, or its base's, changes.

        A derived data set takes from its base what the thesis had, not what the base does besides.
        """
        section = self.datasets[dataset]
        if section.experiments is not None or not isinstance(section, Derived):
            return section.experiments or self.experiments
        return self.experiments_of(section.base).model_copy(update={"label_noise": LabelNoise(), **dict.fromkeys(BEYOND)})

    def swept(self, dataset: str) -> list[str]:
        """Return the experiments that a data set trains for: all but those whose section is null, or that lack its features."""
        sections = self.experiments_of(dataset)
        there = [name for name in SWEPT if getattr(sections, name) is not None]
        return there if self.has_features(dataset) else [name for name in there if name != "clusters"]

    def baselines(self, dataset: str, experiment: str) -> tuple[str, ...]:
        """Return the baselines that stand beside an experiment's metrics; some bring random subsets of their own."""
        if experiment in VARIED:
            return ()
        if experiment == "relabel":
            return ("full",)
        # with as many steps as on all data, other subsets in every epoch are all data
        repeated = experiment in REPEATED_IN and "epochs" in getattr(self.experiments_of(dataset), experiment).budget
        return ("random", REPEATED, "full") if repeated else BASELINES

    def rate_drops(self, dataset: str) -> str:
        """Return why the learning rate of the trainings with threshold examples should stay, if it does not; or ""."""
        name = self.datasets[dataset].recipes.threshold
        recipe = self.recipes[name] if name else None
        stays = recipe is None or isinstance(recipe.schedule, Constant)
        if stays or (isinstance(recipe.schedule, Steps) and min(recipe.schedule.epochs, default=recipe.epochs) >= recipe.epochs):
            return ""
        return (
            f"recipes.{name}.schedule: {recipe.schedule.name} lowers the learning rate, and then wrong labels are learnt by heart "
            f"and their AUM rises to that of right ones. For datasets.{dataset}.recipes.threshold choose a recipe whose rate "
            f"stays (`schedule: {{name: constant}}`)"
        )

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
        if experiment == "relabel":
            return list(settings.by)
        if experiment in ENSEMBLE_EXPERIMENTS:
            names = [name for named in self.ensemble_metrics(dataset, experiment).values() for name in named.values()]
            return [*names, *([INPUT_NORM] if experiment == "score_epoch" else [])]
        return [name for name in self.named(settings.metrics) if self.serves(dataset, name)]

    def attacked_metrics(self, dataset: str) -> list[str]:
        """Return the metrics whose pruned trainings are attacked, without the baselines; the experiment must be on."""
        asked = self.experiments_of(dataset).robustness.metrics
        return self.swept_metrics(dataset, "prune_easiest") if asked == "all" else [m for m in asked if self.serves(dataset, m)]

    def named(self, metrics: list[str] | str) -> list[str]:
        """Return the metrics by name where a section says `all`."""
        return [name for name in self.metrics if name not in BASELINES] if metrics == "all" else list(metrics)

    def ensemble_metrics(self, dataset: str, experiment: str) -> dict[str, dict[int | str, str]]:
        """Return what score_epoch, seeds or transfer sweeps: metric -> epoch, number of seeds or data set -> the name to score by.

        Where nothing is left out (the last epoch, all seeds, the data set itself) that is the metric's own name.
        """
        settings, ensemble = getattr(self.experiments_of(dataset), experiment), self.ensemble_of(dataset)
        names = {}
        for metric in self.metrics_behind(settings.metrics):
            function = self.metric_function(metric)
            match experiment:
                case "score_epoch":
                    if metric_files.recorded(function) == "end":
                        continue
                    fewest = metric_files.fewest_epochs(function, self.metric_parameters(metric))
                    points = {epoch: f"{metric}_at_{epoch}" for epoch in settings.epochs if epoch >= fewest}
                    if metric_files.recorded(function) == "grand_full":
                        there = ensemble.grand_full.epochs if ensemble.grand_full else []
                        points = {epoch: name for epoch, name in points.items() if epoch in there}
                    names[metric] = points | {ensemble.epochs: f"{metric}_at_{ensemble.epochs}" if self._early(metric) else metric}
                case "seeds":
                    points = {n: f"{metric}_of_{n}" for n in settings.numbers if n >= metric_files.fewest_seeds(function)}
                    names[metric] = points | {ensemble.seeds: metric}
                case "transfer":
                    names[metric] = {dataset: metric} | {other: f"{metric}_from_{other}" for other in settings.datasets}
        return names

    def score_names(self, dataset: str, experiment: str, metric: str) -> list[str]:
        """Return the scores that the trainings of a sweep go by: one for all; by some seeds of an ensemble, one for each training.

        Training s goes by group s modulo G of the seeds, G the smaller of the numbers of groups and of trainings. The intervals
        over the trainings then contain the spread of the scores as well.
        """
        ensemble = self.ensemble_of(dataset).seeds
        if experiment != "seeds":
            return [metric]
        for names in self.ensemble_metrics(dataset, experiment).values():
            for number, name in names.items():
                if name == metric and number < ensemble:
                    groups = min(self.experiments_of(dataset).seeds.seeds, ensemble // math.gcd(ensemble, number))
                    return [name, *(f"{name}_{group}" for group in range(1, groups))]
        return [metric]

    def _early(self, metric: str) -> bool:
        """Whether a metric is configured to look at an epoch before the last."""
        return isinstance(self.metric_parameters(metric).get("epoch"), int)

    def metrics_behind(self, metrics: list[str] | str) -> list[str]:
        """Return the configured metrics that are meant; by `all`, those that are computed from the ensemble."""
        if metrics != "all":
            return list(metrics)
        return [name for name in self.metrics if metric_files.load(self.metric_function(name)).NEEDS == "dynamics"]


def _laid_over(dataset: Any, experiments: Any) -> Any:
    """Return a data set's section with whole experiments, if it changes any and all of them are sections or switched off."""
    own = dataset.get("experiments") if isinstance(dataset, dict) else None
    if not isinstance(own, dict) or not all(section is None or isinstance(section, dict) for section in own.values()):
        return dataset
    experiments = experiments if isinstance(experiments, dict) else {}  # who is wrong is told where it stands
    base = {name: section for name, section in experiments.items() if isinstance(section, dict)}
    laid = {name: section if section is None else base.get(name, {}) | section for name, section in own.items()}
    return dataset | {"experiments": base | laid}
