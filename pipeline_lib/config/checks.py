"""What the sections of a study say of one another: names that must exist, and what an experiment needs of others."""

from typing import TYPE_CHECKING, Any

from pipeline_lib import metrics as metric_files
from pipeline_lib.config import landscape
from pipeline_lib.config.datasets import Derived
from pipeline_lib.config.experiment import Experiment
from pipeline_lib.config.experiments import ENSEMBLE_EXPERIMENTS, SWEPT, VARIED
from pipeline_lib.config.recipes import Plateau
from pipeline_lib.config.section import BASELINES, REPEATED, UNSCORED
from pipeline_lib.errors import one_of

if TYPE_CHECKING:
    from pipeline_lib.config.study import Study

RANKING_COLUMNS = (
    *("index", "file", "label", "true_label", "belief", "likely_mislabelled", "suggested_label", "below_threshold"),
    *("threshold_votes", "rule"),
)
COUNTED_IN_EPOCHS = ("epoch", "early", "late", "window", "until")  # parameters of metrics that cannot exceed what was recorded


def check(study: "Study") -> None:
    """Refuse a study whose sections do not fit each other.

    Raises:
        ValueError: the first thing that does not fit, with its key and what is accepted.
    """
    for name, dataset in study.datasets.items():
        for purpose, recipe in dataset.recipes:
            if recipe is not None:
                _known(recipe, study.recipes, f"datasets.{name}.recipes.{purpose}", "recipe")
                _check_threshold(study, purpose, recipe, f"datasets.{name}.recipes.{purpose}")
        if dataset.swav is not None:
            _known(dataset.swav, study.swav, f"datasets.{name}.swav", "swav section")
        if isinstance(dataset, Derived):
            _check_bases(study, name)
    for name in study.metrics:
        if name in UNSCORED and not (name == "random" == study.metric_function(name)):
            raise ValueError(f"metrics.{name}: the name is taken by the baseline; choose another")
        if name in RANKING_COLUMNS or name.removesuffix("_rank") in set(study.metrics) - {name}:
            raise ValueError(f"metrics.{name}: the name is taken by a column of ranking.csv; choose another")
        if whole := study.read_in_part(name):
            raise ValueError(
                f"metrics.{name}: the name says {whole} of fewer epochs, seeds or another data set, which needs no entry; choose "
                "another"
            )
        _check_metric(study, name)
    for where, experiments in study.experiment_sections():
        for experiment in SWEPT:
            if experiment not in VARIED and getattr(experiments, experiment) is not None:
                _check_swept(study, f"{where}.{experiment}.metrics", getattr(experiments, experiment))
        if experiments.robustness is not None:
            easiest = experiments.prune_easiest
            experiments.robustness.check(f"{where}.robustness", easiest.shares, study.named(easiest.metrics), easiest.seeds)
    for name in study.datasets:
        for check_one in (
            _check_features,
            _check_noisy,
            _check_relabel,
            _check_quotas,
            _check_varied,
            _check_landscape,
            _check_ensemble,
        ):
            check_one(study, name)


def _check_threshold(study: "Study", purpose: str, recipe: str, key: str) -> None:
    """Refuse what leaves examples out: a single training must have trained on all that it judges."""
    if purpose == "threshold" and study.recipes[recipe].balance == "sampler":
        raise ValueError(
            f"{key}: {recipe} has `balance: sampler`, whose epochs lack some examples of the larger classes, and these would have "
            "no margin in training. Name a recipe with another `balance`"
        )
    if purpose == "threshold" and isinstance(study.recipes[recipe].schedule, Plateau):
        raise ValueError(
            f"{key}: {recipe} has a plateau schedule, which holds examples out for validation, and these would have no margin in "
            "training. Name a recipe with `schedule: {name: constant}`"
        )


def _check_bases(study: "Study", name: str) -> None:
    seen = [name]
    while isinstance(study.datasets[seen[-1]], Derived):
        base = study.datasets[seen[-1]].base
        _known(base, study.datasets, f"datasets.{seen[-1]}.base", "data set")
        if base in seen:
            raise ValueError(f"datasets.{name}.base: {' -> '.join([*seen, base])} is a circle; name another data set")
        seen.append(base)


def _check_metric(study: "Study", name: str) -> None:
    given = study.metrics[name]
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
    _check_recorded(study, name, metric_files.parameters(function) | given)


def _check_recorded(study: "Study", name: str, parameters: dict[str, Any]) -> None:
    shortest = min(study.datasets, key=lambda dataset: study.ensemble_of(dataset).epochs)
    recorded = study.ensemble_of(shortest).epochs
    for key in COUNTED_IN_EPOCHS:
        value = parameters.get(key)
        if isinstance(value, int) and value > recorded:
            raise ValueError(
                f"metrics.{name}.{key}: should be at most {recorded}, the epochs of the ensemble of {shortest}, not {value}"
            )
    smallest = min(study.datasets, key=lambda dataset: study.ensemble_of(dataset).seeds)
    if (parameters.get("seeds") or 0) > study.ensemble_of(smallest).seeds:
        raise ValueError(
            f"metrics.{name}.seeds: should be at most {study.ensemble_of(smallest).seeds}, the seeds of the ensemble of "
            f"{smallest}, not {parameters['seeds']}"
        )
    if parameters.get("group") and not parameters.get("seeds"):
        raise ValueError(f"metrics.{name}.group: says which of several groups of seeds; say of how many seeds with `seeds`")
    if metric_files.recorded(study.metrics[name].get("function", name)) == "grand_full":
        for dataset in study.datasets:
            epoch = parameters["epoch"]
            when = study.ensemble_of(dataset).epochs if epoch == "last" else epoch
            _check_gradients(study, dataset, [when], f"metrics.{name}: it")


def _check_swept(study: "Study", key: str, experiment: Experiment) -> None:
    for name in [] if experiment.metrics == "all" else experiment.metrics:
        if name in UNSCORED:
            when = "drawn where it can be" if name == REPEATED else "always drawn"
            raise ValueError(f"{key}: {name} is a baseline and {when}; leave it out")
        _known(name, [known for known in study.metrics if known not in BASELINES], key, "metric")


def _check_features(study: "Study", name: str) -> None:
    """Refuse experiments of which nothing is left where a data set goes without label-free features."""
    for experiment in study.swept(name) if not study.has_features(name) else []:
        key, settings = f"datasets.{name}.experiments.{experiment}", getattr(study.experiments_of(name), experiment)
        named = getattr(settings, "metrics", None)
        of_clusters = [each for each in named if not study.serves(name, each)] if isinstance(named, list) else []
        if of_clusters and len(of_clusters) == len(named):
            raise ValueError(
                f"{key}.metrics: {one_of(of_clusters)} needs features, but {name} has `swav: null`; name another metric"
            )


def _check_noisy(study: "Study", name: str) -> None:
    noisy, key = study.experiments_of(name).label_noise.noisy, f"datasets.{name}.experiments.label_noise.noisy"
    if noisy is None:
        return
    _known(noisy, study.datasets, key, "data set")
    section = study.datasets[noisy]
    if not isinstance(section, Derived) or section.base != name or section.flip_labels is None or section.fewer:
        raise ValueError(f"{key}: {noisy} should have `base: {name}` and `flip_labels:`, so that only labels differ")
    own = study.datasets[name].recipes
    if section.recipes != own:
        written = ", ".join(f"{purpose}: {'null' if recipe is None else recipe}" for purpose, recipe in own)
        raise ValueError(f"{key}: {noisy} should have the recipes of {name}, so that only labels differ: `recipes: {{{written}}}`")
    clean, wrong = (study.experiments_of(dataset).sliding_window for dataset in (name, noisy))
    for setting in ("size", "starts", "budget", "balanced"):
        if getattr(clean, setting) != getattr(wrong, setting):
            raise ValueError(f"{key}: {noisy} should have the sliding_window.{setting} of {name}, so that only labels differ")


def _check_relabel(study: "Study", name: str) -> None:
    """What is left out of a training, or compared, must be known or asked for."""
    experiments, where = study.experiments_of(name), f"datasets.{name}"
    for number, kind in enumerate(experiments.label_noise.kinds):
        key = f"{where}.experiments.label_noise.kinds.{number}"
        _known(kind, study.datasets, key, "data set")
        if name not in study.bases_of(kind) or not study.knows_wrong_labels(kind):
            raise ValueError(f"{key}: {kind} should have `base: {name}` and known wrong labels (`flip_labels:`)")
        if study.datasets[kind].recipes.threshold is None:
            raise ValueError(f"{key}: {kind} should name a recipe under `recipes.threshold`")
        first = experiments.label_noise.kinds[0]
        if study.datasets[kind].recipes != study.datasets[first].recipes:
            raise ValueError(f"{key}: {kind} should have the recipes of {first}: only the wrong labels may differ")
    by = experiments.relabel.by if experiments.relabel else []
    if "threshold" in by and study.datasets[name].recipes.threshold is None:
        raise ValueError(f"{where}.experiments.relabel.by: threshold needs a recipe under {where}.recipes.threshold")
    if "truth" in by and not study.knows_wrong_labels(name):
        raise ValueError(
            f"{where}.experiments.relabel.by: truth needs labels that are known (`flip_labels:`, or an .npz with `true_labels:`); "
            "leave it out"
        )


def _check_quotas(study: "Study", name: str) -> None:
    experiments, key = study.experiments_of(name), f"datasets.{name}.experiments"
    section, swept = experiments.pruning_imbalanced, experiments.prune_easiest
    if section is None:
        return
    if set(swept.balanced) != {False, True}:
        raise ValueError(f"{key}.prune_easiest.balanced: should be [false, true], because pruning_imbalanced draws both")
    if section.share not in swept.shares:
        accepted = one_of(swept.shares)
        raise ValueError(f"{key}.pruning_imbalanced.share: should be one of prune_easiest.shares ({accepted}), not {section.share}")


def _check_varied(study: "Study", name: str) -> None:
    for experiment in VARIED:
        if getattr(study.experiments_of(name), experiment) is not None:
            try:
                study.variants(name, experiment)
            except ValueError as error:
                raise ValueError(f"datasets.{name}.experiments.{experiment}: {error}") from None


def _check_landscape(study: "Study", name: str) -> None:
    for experiment in landscape.SECTIONS:
        section = getattr(study.experiments_of(name), experiment)
        if section is not None:
            key, own = f"datasets.{name}.experiments.{experiment}", study.datasets[name].recipes.training
            section.check(key, list(study.metrics), study.recipes, own)


def _check_ensemble(study: "Study", name: str) -> None:
    """Refuse what score_epoch, seeds and transfer ask for of an ensemble that does not have it."""
    experiments, ensemble, key = study.experiments_of(name), study.ensemble_of(name), f"datasets.{name}.experiments"
    for experiment in ENSEMBLE_EXPERIMENTS:
        settings = getattr(experiments, experiment)
        for metric in study.metrics_behind(settings.metrics) if settings and settings.metrics != "all" else []:
            if metric_files.load(study.metric_function(metric)).NEEDS != "dynamics":
                raise ValueError(f"{key}.{experiment}.metrics: {metric} is not computed from the ensemble; leave it out")
    if experiments.score_epoch:
        _check_score_epochs(study, name, f"{key}.score_epoch")
    if experiments.seeds and max(experiments.seeds.numbers) >= ensemble.seeds:
        raise ValueError(
            f"{key}.seeds.numbers: should be less than {ensemble.seeds}, the seeds of the ensemble of {name}, not "
            f"{max(experiments.seeds.numbers)}; all seeds are always drawn"
        )
    for other in experiments.transfer.datasets if experiments.transfer else []:
        _known(other, [known for known in study.datasets if known != name], f"{key}.transfer.datasets", "other data set")
        if study.images_of(other) != study.images_of(name):
            raise ValueError(
                f"{key}.transfer.datasets: {other} has other images or labels than {name}; name one that differs in its "
                f"recipes alone (`base: {name}` without any change)"
            )


def _check_score_epochs(study: "Study", name: str, key: str) -> None:
    settings, recorded = study.experiments_of(name).score_epoch, study.ensemble_of(name).epochs
    if max(settings.epochs) >= recorded:
        raise ValueError(
            f"{key}.epochs: should be less than {recorded}, the epochs of the ensemble of {name}, not {max(settings.epochs)}; "
            "the last one is always drawn"
        )
    for metric in [] if settings.metrics == "all" else settings.metrics:
        match metric_files.recorded(study.metric_function(metric)):
            case "end":
                raise ValueError(f"{key}.metrics: {metric} is recorded after the last epoch alone; leave it out")
            case "grand_full":
                _check_gradients(study, name, [*settings.epochs, recorded], f"{key}.metrics: {metric}")


def _check_gradients(study: "Study", name: str, epochs: list[int], key: str) -> None:
    """Refuse epochs after which a data set's ensemble does not record whole gradients."""
    section = study.ensemble_of(name).grand_full
    lacking = [epoch for epoch in epochs if section is None or epoch not in section.epochs]
    if lacking:
        where = f"datasets.{name}.ensemble" if study.datasets[name].ensemble else "ensemble"
        found = "there is no such section" if section is None else f"it has {one_of(section.epochs)}"
        raise ValueError(f"{key} is needed after {one_of(lacking)} epochs; add them to {where}.grand_full.epochs ({found})")


def _known(name: str, accepted, key: str, what: str) -> None:
    if name not in accepted:
        raise ValueError(f"{key}: there is no {what} {name!r}; accepted: {one_of(accepted)}")
