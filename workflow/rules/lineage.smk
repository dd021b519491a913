# What a result depends on, everything upstream included, as two short hashes:
#   lineage  settings and code: stands in the rules' params, so that a change of either reruns what follows
#   origin   settings alone: stands in the files, so that one of another data set, recipe or parameters is refused; a change of
#            code that is declared neutral (snakemake --touch) leaves it alone
from typing import NamedTuple


class Step(NamedTuple):
    lineage: str
    origin: str


def step(settings, code, *before):
    """What comes of settings and code after other steps."""
    return Step(
        fingerprint.value(settings, code, [earlier.lineage for earlier in before]),
        fingerprint.value(settings, [earlier.origin for earlier in before]),
    )


@functools.cache
def data_step(dataset):
    section = dataset_section(dataset)
    settings = [study.seed, source_settings(dataset), source_stamp(dataset)]
    before = [data_step(section.base)] if isinstance(section, Derived) else []
    return step(settings, data_code(dataset), *before)


def data_code(dataset):
    return code("prepare_dataset", f"pipeline_lib.data.{source_kind(dataset)}")


@functools.cache
def dynamics_step(dataset, seed):
    settings = [study.seed, recipe(dataset, "scoring"), int(seed), grand_full(dataset)]
    purpose = study.ensemble_purpose(dataset)
    if purpose != "scoring":  # left out, so that files from before there were other purposes stay valid
        settings.append(purpose)
    return step(settings, code("train_seed"), data_step(dataset))


def ensemble_steps(dataset):
    return [dynamics_step(dataset, seed) for seed in ensemble_seeds(dataset)]


def swav_settings(dataset):
    if dataset_section(dataset).swav is None:
        raise WorkflowError(
            f"datasets.{dataset}.swav names no section, but km, clusters, elbow and tsne are made from SwAV's features. Name "
            "one, or leave these out"
        )
    return plain(study.swav[dataset_section(dataset).swav])


def swav_training(dataset):
    """The part of the SwAV section that the training uses; the elbow's range is the clustering's."""
    return {k: v for k, v in swav_settings(dataset).items() if k != "elbow"}


@functools.cache
def features_step(dataset):
    return step([study.seed, swav_training(dataset)], code("train_swav"), data_step(dataset))


@functools.cache
def clusters_step(dataset, features, k):
    settings = [study.seed, features, str(k), elbow_range(dataset, str(k))]
    return step(settings, code("cluster"), features_step(dataset))


def elbow_range(dataset, k):
    """The numbers of clusters that are tried; none where the number is given."""
    return swav_settings(dataset)["elbow"] if k == "elbow" else None


def score_sources(dataset, metric):
    """The steps whose results a metric reads."""
    match needs(metric):
        case "dynamics":
            return ensemble_steps(study.scored_by(dataset, metric))
        case "clusters":
            parameters = study.metric_parameters(metric)
            return [clusters_step(dataset, parameters["features"], parameters["k"])]
    return [data_step(dataset)]


def score_settings(metric):
    return {"function": study.metric_function(metric_of(metric)), "parameters": study.metric_parameters(metric)}


def score_code(metric):
    source = metric_files.SOURCES[needs(metric)]
    return code("score", metric_module(metric), *filter(None, [source]))


@functools.cache
def score_step(dataset, metric):
    return step([study.seed, score_settings(metric)], score_code(metric), *score_sources(dataset, metric))


# what a sweep does not use of its experiment's section: the metrics' names, and what belongs to scores where there are none
UNUSED = {"metrics", "k", "features", "by", "epochs", "numbers", "datasets"}
UNUSED_BY_RANDOM = UNUSED | {"starts", "strata", "cutoffs"}
UNUSED_BY_REPEATED = UNUSED_BY_RANDOM | {"budget"}


def sweep_settings(dataset, experiment, metric):
    settings = experiment_settings(dataset, experiment)
    if metric == "full":
        return {"seeds": settings["seeds"]}
    if experiment in VARIED:  # what is tried stands in the recipes
        return {k: settings[k] for k in ("seeds", "validation") if k in settings}
    unused = {"random": UNUSED_BY_RANDOM, REPEATED: UNUSED_BY_REPEATED}.get(metric, UNUSED)
    return {k: v for k, v in settings.items() if k not in unused}


def sweep_sources(dataset, experiment, metric):
    """The steps whose results a sweep chooses by."""
    if metric in UNSCORED or experiment in VARIED:
        return [data_step(dataset)]
    if experiment == "relabel":
        return [{"threshold": votes_step, "lead": belief_step, "truth": data_step}[metric](dataset)]
    return [score_step(dataset, name) for name in study.score_names(dataset, experiment, metric)]


@functools.cache
def sweep_step(dataset, experiment, metric):
    recipes = sweep_variants(dataset, experiment, metric) or recipe(dataset, "training")
    settings = [study.seed, sweep_settings(dataset, experiment, metric), recipes]
    return step(settings, code("sweep"), *sweep_sources(dataset, experiment, metric))


def lineages(steps):
    return [step.lineage for step in steps]


def sweeps_lineage(dataset, *experiments):
    return lineages(sweep_step(dataset, e, metric) for e in experiments for metric in drawn_metrics(dataset, e))


def scores_lineage(dataset):
    return lineages(score_step(dataset, metric) for metric in study.metrics_of(dataset))


def ensemble_lineage(dataset):
    return lineages(ensemble_steps(dataset))


@functools.cache
def belief_step(dataset):
    return step("belief", code("believe"), *ensemble_steps(dataset))


# files that carry their origin -> the step that makes them
STEPS = {
    re.compile(rf"data/(?P<dataset>{NAME})/dataset\.h5"): data_step,
    re.compile(rf"results/(?P<dataset>{NAME})/dynamics/seed(?P<seed>\d+)\.h5"): dynamics_step,
    re.compile(rf"results/(?P<dataset>{NAME})/features/swav\.h5"): features_step,
    re.compile(rf"results/(?P<dataset>{NAME})/clusters/(?P<features>[a-z]+)-(?P<k>\w+)\.h5"): clusters_step,
    re.compile(rf"results/(?P<dataset>{NAME})/scores/(?P<metric>{NAME})\.h5"): score_step,
    re.compile(rf"results/(?P<dataset>{NAME})/sweeps/(?P<experiment>\w+)/(?P<metric>{NAME})\.csv"): sweep_step,
    re.compile(rf"results/(?P<dataset>{NAME})/belief(_test)?\.csv"): belief_step,
}


@functools.cache
def origin_of(path):
    for pattern, step_of in STEPS.items():
        found = pattern.fullmatch(path)
        if found:
            return step_of(**found.groupdict()).origin
    return None


def origins_of(files):
    """What the inputs of a job must have been made by: file -> origin."""
    return {str(path): origin_of(str(path)) for path in files if origin_of(str(path))}
