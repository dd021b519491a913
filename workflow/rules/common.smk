# What the rules share: the checked study, and what each result depends on.
#
# Every rule that computes names three things in `params`, and reruns when one of them changes (profiles/default: rerun-triggers):
#   settings  the part of config.yaml that it uses
#   code      fingerprint of its script and of everything that the script imports from pipeline_lib
#   upstream  the same of everything before it (lineage.smk)
import contextlib
import functools
import importlib.util
import json
import math
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

PROJECT = str(Path(workflow.basedir))
sys.path.insert(0, PROJECT)

from pipeline_lib import demand, fingerprint, forkserver
from pipeline_lib import metrics as metric_files
from pipeline_lib.analyse.shares import AREA_SHARES
from pipeline_lib.config import BASELINES, NAME, REPEATED, SWEPT, UNSCORED, VARIED, Cifar, Derived, parse_study, plain
from pipeline_lib.data import imbalance
from pipeline_lib.data.count import class_counts, class_names, counts_of_test
from pipeline_lib.data.shape import image_shape
from pipeline_lib.errors import PipelineError, one_of
from pipeline_lib.hardware import gpu_expected
from pipeline_lib.prune import groups, sizes

# the scripts of the rules find the library of this checkout, on this machine or on a cluster node
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [forkserver.EARLY, PROJECT, os.environ.get("PYTHONPATH")]))


@contextlib.contextmanager
def refused_in_words():
    """What the library refuses ends the workflow with its message, before any job runs."""
    try:
        yield
    except PipelineError as error:
        raise WorkflowError(str(error)) from None


SUBMITTED = "PIPELINE_SUBMITTED_CONFIG"  # tells a job on a cluster where the settings lie that it was submitted with


# A job reads the Snakefile again when it starts, which may be days after its submission: what it computes must be what the
# workflow that submitted it asked for, and wrote down, whatever config.yaml says by then.
if workflow.remote_exec and SUBMITTED in os.environ:
    submitted = json.loads(Path(os.environ[SUBMITTED]).read_text())
    config.clear()
    config.update(submitted)

with refused_in_words():
    study = parse_study(config)


wildcard_constraints:
    dataset=NAME,
    metric=NAME,
    seed=r"\d+",
    features="prototypes|backbone",
    k=r"\d+|classes|elbow",
    method="pearson|spearman",
    experiment="|".join(SWEPT),


# `gpu` limits what runs at the same time on one machine, not on a cluster
resource_scopes:
    gpu="local",


DEVICE = "gpu" if gpu_expected(study.device) else "cpu"


def gpu_wanted(wildcards):
    return int(DEVICE == "gpu")


def gpu_for_kmeans(wildcards):
    """1 if k-means will compute on a GPU, so that it does not keep trainings from one that it does not use."""
    if DEVICE == "cpu" or importlib.util.find_spec("faiss") is None:  # not here: an environment of its own will have it
        return gpu_wanted(wildcards)
    import faiss

    return int(hasattr(faiss, "StandardGpuResources"))


# for sites that deploy with `--sdm conda`; otherwise every job runs in the environment of Snakemake itself
ENVIRONMENT = f"{PROJECT}/envs/{DEVICE}.yaml"


def dataset_section(dataset):
    if dataset not in study.datasets:
        raise WorkflowError(
            f"config.yaml has no data set {dataset!r} under `datasets`; it has {one_of(study.datasets)}"
        )
    return study.datasets[dataset]


def metric_of(metric):
    if not study.has_metric(metric):
        raise WorkflowError(f"config.yaml has no metric {metric!r} under `metrics`; it has {one_of(study.metrics)}")
    return metric


def recipe(dataset, purpose):
    """The recipe's values; the ensemble's length replaces the recipe's own for scoring."""
    section = dataset_section(dataset)
    values = plain(study.recipes[getattr(section.recipes, purpose)])
    return values | {"epochs": study.ensemble_of(dataset).epochs} if purpose == "scoring" else values


def grand_full(dataset):
    """When the ensemble records whole gradients, and of which layers; None: never."""
    section = study.ensemble_of(dataset).grand_full
    return plain(section) if section else None


def ensemble_seeds(dataset):
    dataset_section(dataset)  # names the accepted ones if there is no such data set
    return range(study.ensemble_of(dataset).seeds)


fingerprint.keep_meanings(".snakemake")
TRAINING_CODE = fingerprint.code(*fingerprint.TRAINING)


@functools.cache
def code(script, *modules):
    """Fingerprint of a rule's script, what it imports, and the modules that it loads by name."""
    return fingerprint.code(f"{PROJECT}/workflow/scripts/{script}.py", *modules)


def source_kind(dataset):
    """The file of pipeline_lib/data that reads a data set."""
    section = dataset_section(dataset)
    if isinstance(section, Derived):
        return "derived"
    if isinstance(section, Cifar):
        return "npz" if section.npz and Path(section.npz).exists() else "cifar"
    return section.source


def source_settings(dataset):
    """What reads a data set, and from where: nothing about how it is trained on."""
    section = dataset_section(dataset)
    unread = ("recipes", "swav", "ensemble", "experiments", "obtain")
    values = {k: v for k, v in plain(section).items() if k not in unread}
    match source_kind(dataset):
        case "cifar":
            values["archive"] = f"data/archives/{section.source}.tar.gz"
        case "derived":
            values |= {"name": dataset, "base_file": dataset_file(section.base)}
    return values


@functools.cache
def source_stamp(dataset):
    """Changes when the user's own files change (not when they are touched)."""
    section = dataset_section(dataset)
    match source_kind(dataset):
        case "npz":
            return fingerprint.zip_directory(section.npz)
        case "imagefolder":
            from pipeline_lib.data.imagefolder import is_image

            return [fingerprint.folder(path, is_image) for path in (section.train, section.test) if path]
    return None


@functools.cache
def names_of(dataset):
    """The names of the classes; None if only reading the source can tell."""
    section = dataset_section(dataset)
    base = names_of(section.base) if isinstance(section, Derived) else None
    return class_names(source_kind(dataset), source_settings(dataset), base)


def test_images_of(dataset):
    """The number of test images of each class; None if only reading the source can tell."""
    section = dataset_section(dataset)
    base = test_images_of(section.base) if isinstance(section, Derived) else None
    return counts_of_test(source_kind(dataset), source_settings(dataset), base)


@functools.cache
def check_imbalance(dataset):
    """What the base cannot give is said before any job runs, where its classes and their sizes are known."""
    section = dataset_section(dataset)
    if not isinstance(section, Derived) or section.imbalance is None:
        return
    names, counts = names_of(section.base), examples_of(section.base)
    if names and counts and len(names) == len(counts):
        with refused_in_words():
            asked, key = plain(section.imbalance), f"datasets.{dataset}.imbalance"
            trained = imbalance.kept(asked, dict(zip(names, counts)), key)
            if isinstance(asked["test"], dict):
                most = test_images_of(section.base) or [float("inf")] * len(names)  # or only the classes are known here
                imbalance.of_test_set(asked, trained, dict(zip(names, most)), key)


@functools.cache
def check_source(dataset):
    """Refuse a missing source before any job: a failing prepare_dataset would delete dataset.h5, and all that follows be stale."""
    section, prepared = dataset_section(dataset), Path(f"data/{dataset}/dataset.h5").exists()
    with refused_in_words():
        match source_kind(dataset):
            case "imagefolder" if not (
                prepared and all(Path(top).is_dir() for top in (section.train, section.test) if top)
            ):
                from pipeline_lib.data import imagefolder

                imagefolder.listed(plain(section))
            case "npz" if not Path(section.npz).is_file():
                from pipeline_lib.data import npz

                raise PipelineError(f"{section.npz}: {npz.MISSING}")


def source_inputs(wildcards):
    check_source(wildcards.dataset)
    check_imbalance(wildcards.dataset)
    settings = source_settings(wildcards.dataset)
    if isinstance(study.datasets[wildcards.dataset], Derived):
        return dataset_input(study.datasets[wildcards.dataset].base)
    return {"archive": ancient(settings["archive"])} if "archive" in settings else {}


def clusters_file(dataset, metric):
    parameters, counts = study.metric_parameters(metric_of(metric)), examples_of(dataset)
    if counts and isinstance(parameters["k"], int) and parameters["k"] > sum(counts):
        raise WorkflowError(
            f"{metric} of {dataset}: {parameters['k']} clusters asked for, but there are only {sum(counts)} examples. Lower its `k`"
        )
    return f"results/{dataset}/clusters/{parameters['features']}-{parameters['k']}.h5"


def needs(metric):
    return metric_files.load(study.metric_function(metric_of(metric))).NEEDS


def metric_module(metric):
    return f"pipeline_lib.metrics.{study.metric_function(metric_of(metric))}"


def dataset_file(dataset):
    return f"data/{dataset}/dataset.h5"


def own_dataset(wildcards):
    return dataset_input(wildcards.dataset)


def dataset_input(dataset):
    """The data set as an input: a new date does not make it a new one; a change is carried on by the table beside it, which has
    its fingerprint.

    With `ancient` alone, jobs that follow one whose parameters changed would be left for the next invocation.
    """
    return {"dataset": ancient(dataset_file(dataset)), "classes": f"data/{dataset}/classes.csv"}


def ensemble_files(dataset):
    return [f"results/{dataset}/dynamics/seed{seed}.h5" for seed in ensemble_seeds(dataset)]


def sources_of(dataset, metric):
    """The files that a metric reads beside the data set."""
    match needs(metric):
        case "dynamics":
            scorer, fewest = study.scored_by(dataset, metric), metric_files.fewest_seeds(study.metric_function(metric))
            seeds = min(len(ensemble_seeds(scorer)), study.metric_parameters(metric).get("seeds") or float("inf"))
            if seeds < fewest:
                raise WorkflowError(f"metrics.{metric}: needs at least {fewest} ensemble seeds, {scorer} has {seeds}")
            return ensemble_files(scorer)
        case "images":
            return [dataset_input(dataset)["dataset"]]
        case "clusters":
            return [f"results/{dataset}/features/swav.h5", clusters_file(dataset, metric)]
    return []


# who doubts labels -> the table that says which
DOUBTS = {"threshold": "threshold_votes", "lead": "belief"}


def chosen_by(dataset, experiment, metric):
    """What a sweep chooses by: scores, doubted labels, or nothing."""
    if experiment in VARIED:
        return {}
    if metric in UNSCORED:
        experiment_settings(dataset, experiment)  # says so if there is no such data set, or the experiment is off
        there = study.baselines(dataset, experiment)
        if metric not in there:
            raise WorkflowError(f"{experiment} of {dataset} has no baseline {metric}; it has {one_of(there)}")
        return {}
    if experiment == "relabel":
        return {"flags": f"results/{dataset}/{DOUBTS[metric]}.csv"} if metric in DOUBTS else {}
    names = study.score_names(dataset, experiment, metric)
    return {"scores": [f"results/{dataset}/scores/{name}.h5" for name in names]}


def choice_files(dataset, experiment, metric):
    files = chosen_by(dataset, experiment, metric)
    return [*files.get("scores", []), *([files["flags"]] if "flags" in files else [])]


def experiment_settings(dataset, experiment):
    """The section of an experiment, as a data set has it."""
    dataset_section(dataset)  # names the accepted ones if there is no such data set
    section = getattr(study.experiments_of(dataset), experiment)
    if section is None:
        raise WorkflowError(
            f"datasets.{dataset}.experiments has no section {experiment}, and the study's has none: name it there to switch "
            f"the experiment on (`{experiment}: {{}}` takes the defaults)"
        )
    return plain(section)


def drawn_metrics(dataset, experiment):
    experiment_settings(dataset, experiment)  # says so if there is no such data set, or the experiment is off
    return [*study.swept_metrics(dataset, experiment), *study.baselines(dataset, experiment)]


@functools.cache
def sweep_variants(dataset, experiment, metric):
    """The recipes that an experiment tries where the metric's name says what it varies; none if it varies the subset."""
    experiment_settings(dataset, experiment)  # says so if there is no such data set, or the experiment is off
    if experiment not in VARIED:
        return []
    varied = study.variants(dataset, experiment)
    if metric not in varied:
        raise WorkflowError(f"{experiment} of {dataset} does not vary {metric!r}; it varies {one_of(varied)}")
    return [{"point": point, "recipe": plain(values)} for point, values in varied[metric].items()]


@functools.cache
def examples_of(dataset):
    """The number of training examples of each class; None if only reading the source can tell."""
    check_imbalance(dataset)
    section = dataset_section(dataset)
    base = examples_of(section.base) if isinstance(section, Derived) else None
    return class_counts(source_kind(dataset), source_settings(dataset), base, names_of(dataset))


def check_sizes(dataset, experiment):
    """What the data set and its recipe cannot serve is said before any job runs."""
    values, settings = recipe(dataset, "training"), experiment_settings(dataset, experiment)
    counts, metrics = examples_of(dataset), study.swept_metrics(dataset, experiment)
    what = f"{experiment} of {dataset} by {', '.join(metrics)}"
    with refused_in_words():
        if experiment in VARIED:
            for metric in metrics:
                batches = {
                    each["point"]: each["recipe"]["batch"] for each in sweep_variants(dataset, experiment, metric)
                }
                sizes.check_varied(settings, batches, counts, f"{experiment} of {dataset} by {metric}")
            return
        sizes.check(experiment, settings, values["epochs"], values["batch"], counts and sum(counts), what)


def area_shares_lacking(dataset):
    """The shares of the area's formula that prune_easiest does not have."""
    return sorted(set(AREA_SHARES) - set(study.experiments_of(dataset).prune_easiest.shares))


def sweep_files(dataset, experiment):
    """The sweeps of an experiment: metric -> file."""
    check_sizes(dataset, experiment)
    return {
        metric: f"results/{dataset}/sweeps/{experiment}/{metric}.csv" for metric in drawn_metrics(dataset, experiment)
    }


def score_files(dataset):
    return [f"results/{dataset}/scores/{metric}.h5" for metric in study.metrics_of(dataset)]


def noisy_twin(dataset):
    """The data set with the same images and wrong labels."""
    noisy = study.experiments_of(dataset).label_noise.noisy if dataset in study.datasets else None
    if noisy is None:
        raise WorkflowError(
            f"datasets.{dataset}.experiments.label_noise.noisy: names no data set. Add one with `base: {dataset}` and "
            "`flip_labels: 0.1`, and name it there"
        )
    return noisy


def with_wrong_labels(dataset):
    """The data set whose known wrong labels the scores are tested on: the twin, or the data set itself."""
    own = study.wrong_labels_of(dataset) if dataset in study.datasets else None
    return own or noisy_twin(dataset)


def wrong_share(dataset):
    return study.datasets[noisy_twin(dataset)].flip_labels


# What the report holds only where a data set asks for it: functions dataset -> names. The rules of each part add their own.
OPTIONAL_FIGURES, OPTIONAL_TABLES = [], []


def report_figures(dataset):
    """The figures of a data set's report; each has its table beside it."""
    dataset_section(dataset)
    optional = [name for names in OPTIONAL_FIGURES for name in names(dataset)]
    area = [] if area_shares_lacking(dataset) else ["area"]
    twin = ["label_noise"] if study.experiments_of(dataset).label_noise.noisy else []
    noise = [*twin, *(["noise_detection"] if study.wrong_labels_of(dataset) else [])]
    examples = [f"examples/{metric}" for metric in study.metrics_of(dataset) if metric not in BASELINES]
    features, clusters = (["tsne", "elbow"], ["clusters"]) if study.has_features(dataset) else ([], [])
    return [
        *("augmentations", "distributions", "reliability", "correlation_pearson", "correlation_spearman"),
        *("data_map", *features, "suspicious", "suspicious_test", *examples),
        *("sliding_window", "prune_fixed", "prune_easiest", *area, "prune_hardest", "prune_stratified"),
        *(*clusters, "curriculum", *noise, "confusion", "cost", *optional),
    ]


def report_tables(dataset):
    """The tables of a data set's report that have no figure."""
    dataset_section(dataset)
    return ["speed", "claims", "ranking", *(name for names in OPTIONAL_TABLES for name in names(dataset))]
