"""The study: everything in one config file, and the names that its sections use of one another."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline_lib import metrics as metric_files
from pipeline_lib.config import landscape
from pipeline_lib.config.cluster import Cluster
from pipeline_lib.config.datasets import Dataset, DatasetSection, Derived
from pipeline_lib.config.experiment import Experiment
from pipeline_lib.config.experiments import BEYOND, SWEPT, VARIED, Experiments, LabelNoise
from pipeline_lib.config.labels import Threshold
from pipeline_lib.config.recipes import Constant, Ensemble, Recipe, Steps, Swav
from pipeline_lib.config.section import BASELINES, CHECKPOINT_SECONDS, Name, Section
from pipeline_lib.config.variants import variants
from pipeline_lib.errors import one_of

# a metric's bare name has no parameters
Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=dict[str, Any] | None)
]

COUNTED_IN_EPOCHS = ("epoch", "early", "late", "window", "until")  # parameters of metrics that cannot exceed what was recorded
# the metrics of the experiment `clusters` need no line of their own: km_prototypes_5, km_backbone_classes
CLUSTER_METRIC = re.compile(r"km_(?P<features>prototypes|backbone)_(?P<k>\d+|classes|elbow)")
# nor do those of score_epoch, seeds and transfer: el2n_at_2, el2n_of_3, el2n_from_other
EARLY_METRIC = re.compile(r"(?P<metric>\w+)_at_(?P<until>\d+)")
FEW_SEEDS_METRIC = re.compile(r"(?P<metric>\w+)_of_(?P<seeds>[1-9]\d*)")
FOREIGN_METRIC = re.compile(r"(?P<metric>\w+?)_from_(?P<dataset>\w+)")
INPUT_NORM = "input_norm"  # the baseline of score_epoch, with or without a line under `metrics`
ENSEMBLE_EXPERIMENTS = ("score_epoch", "seeds", "transfer")  # sweep metrics that read the ensemble, under names of their own


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
        for name, dataset in self.datasets.items():
            for purpose, recipe in dataset.recipes:
                if recipe is None:
                    continue
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
            if experiments.robustness is not None:
                easiest = experiments.prune_easiest
                experiments.robustness.check(f"{where}.robustness", easiest.shares, self._named(easiest.metrics), easiest.seeds)
        for name in self.datasets:
            self._check_noisy(name)
            self._check_relabel(name)
            self._check_quotas(name)
            self._check_varied(name)
            self._check_landscape(name)
            self._check_ensemble_experiments(name)
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

    def _check_relabel(self, name: str) -> None:
        """What is left out of a training, or compared, must be known or asked for."""
        experiments, where = self.experiments_of(name), f"datasets.{name}"
        for number, kind in enumerate(experiments.label_noise.kinds):
            key = f"{where}.experiments.label_noise.kinds.{number}"
            _known(kind, self.datasets, key, "data set")
            if name not in self.bases_of(kind) or not self.knows_wrong_labels(kind):
                raise ValueError(f"{key}: {kind} should have `base: {name}` and `flip_labels:`")
            if self.datasets[kind].recipes.threshold is None:
                raise ValueError(f"{key}: {kind} should name a recipe under `recipes.threshold`")
        by = experiments.relabel.by if experiments.relabel else []
        if "threshold" in by and self.datasets[name].recipes.threshold is None:
            raise ValueError(f"{where}.experiments.relabel.by: threshold needs a recipe under {where}.recipes.threshold")
        if "truth" in by and not self.knows_wrong_labels(name):
            raise ValueError(
                f"{where}.experiments.relabel.by: truth needs labels that were made wrong (`flip_labels:`); leave it out"
            )

    def _check_landscape(self, name: str) -> None:
        for experiment in landscape.SECTIONS:
            section = getattr(self.experiments_of(name), experiment)
            if section is not None:
                key, own = f"datasets.{name}.experiments.{experiment}", self.datasets[name].recipes.training
                section.check(key, list(self.metrics), self.recipes, own)

    def bases_of(self, name: str) -> list[str]:
        """Return the data sets that a derived one comes from, the nearest first; those that exist."""
        found = []
        while isinstance(self.datasets.get(name), Derived) and name not in found:
            name = self.datasets[name].base
            found.append(name)
        return found

    def knows_wrong_labels(self, name: str) -> bool:
        """Whether labels of a data set, or of one that it comes from, were made wrong on purpose."""
        sections = [self.datasets[each] for each in (name, *self.bases_of(name)) if each in self.datasets]
        return any(isinstance(section, Derived) and section.flip_labels is not None for section in sections)

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
        return dataset if twin is None and self.knows_wrong_labels(dataset) else twin

    def _check_ensemble_experiments(self, name: str) -> None:
        """Refuse what score_epoch, seeds and transfer ask for of an ensemble that does not have it."""
        experiments, ensemble, key = self.experiments_of(name), self.ensemble_of(name), f"datasets.{name}.experiments"
        for experiment in ENSEMBLE_EXPERIMENTS:
            settings = getattr(experiments, experiment)
            for metric in self._bases_of(settings.metrics) if settings and settings.metrics != "all" else []:
                if metric_files.load(self.metric_function(metric)).NEEDS != "dynamics":
                    raise ValueError(f"{key}.{experiment}.metrics: {metric} is not computed from the ensemble; leave it out")
        if experiments.score_epoch:
            self._check_score_epochs(name, f"{key}.score_epoch")
        if experiments.seeds and max(experiments.seeds.numbers) >= ensemble.seeds:
            raise ValueError(
                f"{key}.seeds.numbers: should be less than {ensemble.seeds}, the seeds of the ensemble of {name}, not "
                f"{max(experiments.seeds.numbers)}; all seeds are always drawn"
            )
        for other in experiments.transfer.datasets if experiments.transfer else []:
            _known(other, [known for known in self.datasets if known != name], f"{key}.transfer.datasets", "other data set")
            if self._images_of(other) != self._images_of(name):
                raise ValueError(
                    f"{key}.transfer.datasets: {other} has other images or labels than {name}; name one that differs in its "
                    f"recipes alone (`base: {name}` without any change)"
                )

    def _check_score_epochs(self, name: str, key: str) -> None:
        settings, recorded = self.experiments_of(name).score_epoch, self.ensemble_of(name).epochs
        if max(settings.epochs) >= recorded:
            raise ValueError(
                f"{key}.epochs: should be less than {recorded}, the epochs of the ensemble of {name}, not {max(settings.epochs)}; "
                "the last one is always drawn"
            )
        for metric in [] if settings.metrics == "all" else settings.metrics:
            match metric_files.recorded(self.metric_function(metric)):
                case "end":
                    raise ValueError(f"{key}.metrics: {metric} is recorded after the last epoch alone; leave it out")
                case "grand_full":
                    self._check_gradients(name, [*settings.epochs, recorded], f"{key}.metrics: {metric}")

    def _check_gradients(self, name: str, epochs: list[int], key: str) -> None:
        """Refuse epochs after which a data set's ensemble does not record whole gradients."""
        section = self.ensemble_of(name).grand_full
        lacking = [epoch for epoch in epochs if section is None or epoch not in section.epochs]
        if lacking:
            where = f"datasets.{name}.ensemble" if self.datasets[name].ensemble else "ensemble"
            found = "there is no such section" if section is None else f"it has {one_of(section.epochs)}"
            raise ValueError(f"{key} is needed after {one_of(lacking)} epochs; add them to {where}.grand_full.epochs ({found})")

    def _images_of(self, name: str) -> str:
        """Return the data set at the bottom whose images and labels a data set has unchanged."""
        section = self.datasets[name]
        own = set(type(section).model_fields) - {"base"} - set(DatasetSection.model_fields)
        changed = not isinstance(section, Derived) or any(
            getattr(section, field) != type(section).model_fields[field].default for field in own
        )
        return name if changed else self._images_of(section.base)

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
        accepted = metric_files.parameters(function) | metric_files.reading(function)
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
        smallest = min(self.datasets, key=lambda dataset: self.ensemble_of(dataset).seeds)
        if (parameters.get("seeds") or 0) > self.ensemble_of(smallest).seeds:
            raise ValueError(
                f"metrics.{name}.seeds: should be at most {self.ensemble_of(smallest).seeds}, the seeds of the ensemble of "
                f"{smallest}, not {parameters['seeds']}"
            )
        if metric_files.recorded(self.metrics[name].get("function", name)) == "grand_full":
            for dataset in self.datasets:
                epoch = parameters["epoch"]
                when = self.ensemble_of(dataset).epochs if epoch == "last" else epoch
                self._check_gradients(dataset, [when], f"metrics.{name}: it")

    def has_metric(self, name: str) -> bool:
        """Whether a metric is configured, or one that an experiment brings along."""
        if name in self.metrics or name == INPUT_NORM or CLUSTER_METRIC.fullmatch(name):
            return True
        found = FOREIGN_METRIC.fullmatch(name)
        if found and found["dataset"] not in self.datasets:
            return False
        found = found or EARLY_METRIC.fullmatch(name) or FEW_SEEDS_METRIC.fullmatch(name)
        base = found["metric"] if found else None
        return base in self.metrics and metric_files.load(self.metric_function(base)).NEEDS == "dynamics"

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
            base, values = found.groupdict().values()
            [reading] = found.groupdict().keys() - {"metric"}
            entry = {"function": base} | self.metrics[base] | {reading: int(values)}
            # of a number of epochs before the end, what the metric says of the last one it says of theirs
            at_last = {"epoch": "last"} if reading == "until" and "epoch" in metric_files.parameters(entry["function"]) else {}
            return entry | at_last
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
        """Return the experiments that a data set trains for: all but those whose section is null."""
        return [name for name in SWEPT if getattr(self.experiments_of(dataset), name) is not None]

    def baselines(self, experiment: str) -> tuple[str, ...]:
        """Return the baselines that stand beside an experiment's metrics; some bring random subsets of their own."""
        return () if experiment in VARIED else ("full",) if experiment == "relabel" else BASELINES

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
        return self._named(settings.metrics)

    def attacked_metrics(self, dataset: str) -> list[str]:
        """Return the metrics whose pruned trainings are attacked, without the baselines; the experiment must be on."""
        asked = self.experiments_of(dataset).robustness.metrics
        return self.swept_metrics(dataset, "prune_easiest") if asked == "all" else list(asked)

    def _named(self, metrics: list[str] | str) -> list[str]:
        """Return the metrics by name where a section says `all`."""
        return [name for name in self.metrics if name not in BASELINES] if metrics == "all" else list(metrics)

    def ensemble_metrics(self, dataset: str, experiment: str) -> dict[str, dict[int | str, str]]:
        """Return what score_epoch, seeds or transfer sweeps: metric -> epoch, number of seeds or data set -> the name to score by.

        Where nothing is left out (the last epoch, all seeds, the data set itself) that is the metric's own name.
        """
        settings, ensemble = getattr(self.experiments_of(dataset), experiment), self.ensemble_of(dataset)
        names = {}
        for metric in self._bases_of(settings.metrics):
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

    def _early(self, metric: str) -> bool:
        """Whether a metric is configured to look at an epoch before the last."""
        return isinstance(self.metric_parameters(metric).get("epoch"), int)

    def _bases_of(self, metrics: list[str] | str) -> list[str]:
        """Return the configured metrics that are meant; by `all`, those that are computed from the ensemble."""
        if metrics != "all":
            return list(metrics)
        return [name for name in self.metrics if metric_files.load(self.metric_function(name)).NEEDS == "dynamics"]


def _laid_over(dataset: Any, experiments: Any) -> Any:
    """Return a data set's section with whole experiments, if it changes any and all of them are sections."""
    own = dataset.get("experiments") if isinstance(dataset, dict) else None
    if not isinstance(own, dict) or not all(isinstance(section, dict) for section in own.values()):
        return dataset
    experiments = experiments if isinstance(experiments, dict) else {}  # who is wrong is told where it stands
    base = {name: section for name, section in experiments.items() if isinstance(section, dict)}
    return dataset | {"experiments": base | {name: base.get(name, {}) | section for name, section in own.items()}}


def _known(name: str, accepted, key: str, what: str) -> None:
    if name not in accepted:
        raise ValueError(f"{key}: there is no {what} {name!r}; accepted: {one_of(accepted)}")
