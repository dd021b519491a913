# What a result depends on, everything upstream included, as two short hashes:
#   lineage  settings and code: stands in the rules' params, so that a change of either reruns what follows
#   origin   settings alone: stands in the files, so that one of another data set, recipe or parameters is refused; a change of
#            code that is declared neutral (snakemake --touch) leaves it alone
from typing import NamedTuple


class Step(NamedTuple):
    lineage: str
    origin: str | None


def step(settings, code, files):
    """What comes of settings, code and files."""
    before = steps_of(files)
    return Step(
        fingerprint.value(settings, code, [earlier.lineage for earlier in before]),
        fingerprint.value(settings, [earlier.origin for earlier in before]),
    )


def table(code, files):
    """A table that other rules read, and that does not say what it was made by."""
    return Step(fingerprint.value(code, [earlier.lineage for earlier in steps_of(files)]), None)


def data_step(dataset):
    section = dataset_section(dataset)
    settings = [study.seed, source_settings(dataset), source_stamp(dataset)]
    base = [dataset_file(section.base)] if isinstance(section, Derived) else []
    return step(settings, data_code(dataset), base)


def data_code(dataset):
    return code("prepare_dataset", f"pipeline_lib.data.{source_kind(dataset)}")


def dynamics_step(dataset, seed):
    settings = [study.seed, recipe(dataset, "scoring"), int(seed), grand_full(dataset)]
    purpose = study.ensemble_purpose(dataset)
    if purpose != "scoring":  # left out, so that files from before there were other purposes stay valid
        settings.append(purpose)
    return step(settings, code("train_seed"), [dataset_file(dataset)])


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


def features_step(dataset):
    return step([study.seed, swav_training(dataset)], code("train_swav"), [dataset_file(dataset)])


def clusters_step(dataset, features, k):
    settings = [study.seed, features, str(k), elbow_range(dataset, str(k))]
    return step(settings, code("cluster"), [f"results/{dataset}/features/swav.h5"])


def elbow_range(dataset, k):
    """The numbers of clusters that are tried; none where the number is given."""
    return swav_settings(dataset)["elbow"] if k == "elbow" else None


def score_settings(metric):
    return {"function": study.metric_function(metric_of(metric)), "parameters": study.metric_parameters(metric)}


def score_code(metric):
    source = metric_files.SOURCES[needs(metric)]
    return code("score", metric_module(metric), *filter(None, [source]))


def score_step(dataset, metric):
    files = [dataset_file(dataset), *sources_of(dataset, metric)]
    return step([study.seed, score_settings(metric)], score_code(metric), files)


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


def sweep_step(dataset, experiment, metric):
    recipes = sweep_variants(dataset, experiment, metric) or recipe(dataset, "training")
    settings = [study.seed, sweep_settings(dataset, experiment, metric), recipes]
    return step(settings, code("sweep"), [dataset_file(dataset), *choice_files(dataset, experiment, metric)])


def belief_step(dataset):
    return step("belief", code("believe"), ensemble_files(dataset))


# files that other rules read -> the step that makes them; the rules of each part add their own
STEPS = {
    re.compile(rf"data/(?P<dataset>{NAME})/(dataset\.h5|classes\.csv)"): data_step,
    re.compile(rf"results/(?P<dataset>{NAME})/dynamics/seed(?P<seed>\d+)\.h5"): dynamics_step,
    re.compile(rf"results/(?P<dataset>{NAME})/features/swav\.h5"): features_step,
    re.compile(rf"results/(?P<dataset>{NAME})/clusters/(?P<features>[a-z]+)-(?P<k>\w+)\.h5"): clusters_step,
    re.compile(rf"results/(?P<dataset>{NAME})/scores/(?P<metric>{NAME})\.h5"): score_step,
    re.compile(rf"results/(?P<dataset>{NAME})/sweeps/(?P<experiment>\w+)/(?P<metric>{NAME})\.csv"): sweep_step,
    re.compile(rf"results/(?P<dataset>{NAME})/belief(_test)?\.csv"): belief_step,
}


@functools.cache
def step_of(path):
    """What made a file; None for what a study starts from."""
    for pattern, made_by in STEPS.items():
        found = pattern.fullmatch(path)
        if found:
            return made_by(**found.groupdict())
    if path.startswith("results/"):
        raise WorkflowError(f"{path}: no step in STEPS makes it, so what reads it would not follow its changes")
    return None


def steps_of(files):
    return list(filter(None, map(step_of, map(str, files))))


def upstream_of(wildcards, **job):
    """What a job's inputs were made by, code and settings.

    Snakemake does not record parameters whose function has an argument named `input`.
    """
    return fingerprint.value([earlier.lineage for earlier in steps_of(job["input"])])


def own_origin(wildcards, output):
    """What a job's first output says that it was made by."""
    return step_of(str(output[0])).origin


def origins_of(wildcards, input):
    """What the inputs of a job say that they were made by: file -> origin."""
    files = {str(path): step_of(str(path)) for path in input}
    return {path: made.origin for path, made in files.items() if made and made.origin}
