# What a result depends on, everything upstream included, as one short hash: its lineage.


@functools.cache
def data_lineage(dataset):
    section = dataset_section(dataset)
    base = data_lineage(section.base) if isinstance(section, Derived) else None
    return fingerprint.value(study.seed, source_settings(dataset), source_stamp(dataset), data_code(dataset), base)


def data_code(dataset):
    return code("prepare_dataset", f"pipeline_lib.data.{source_kind(dataset)}")


@functools.cache
def dynamics_lineage(dataset):
    return fingerprint.value(data_lineage(dataset), study.seed, recipe(dataset, "scoring"), code("train_seed"))


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
def features_lineage(dataset):
    return fingerprint.value(data_lineage(dataset), study.seed, swav_training(dataset), code("train_swav"))


@functools.cache
def clusters_lineage(dataset, k):
    return fingerprint.value(features_lineage(dataset), study.seed, elbow_range(dataset, k), code("cluster"))


def elbow_range(dataset, k):
    """The numbers of clusters that are tried; none where the number is given."""
    return swav_settings(dataset)["elbow"] if k == "elbow" else None


def score_upstream(dataset, metric):
    match needs(metric):
        case "dynamics":
            return dynamics_lineage(dataset)
        case "clusters":
            return clusters_lineage(dataset, str(study.metric_parameters(metric)["k"]))
    return data_lineage(dataset)


def score_settings(metric):
    return {"function": study.metric_function(metric_of(metric)), "parameters": study.metric_parameters(metric)}


def score_code(metric):
    source = metric_files.SOURCES[needs(metric)]
    return code("score", metric_module(metric), *filter(None, [source]))


@functools.cache
def score_lineage(dataset, metric):
    seeds = len(ensemble_seeds(dataset)) if needs(metric) == "dynamics" else None
    return fingerprint.value(
        score_upstream(dataset, metric), study.seed, seeds, score_settings(metric), score_code(metric)
    )


# what a sweep does not use of its experiment's section: the metrics' names, and what belongs to scores where there are none
UNUSED = {"metrics", "k", "features"}
UNUSED_BY_RANDOM = UNUSED | {"starts", "strata", "cutoffs"}


def sweep_settings(dataset, experiment, metric):
    settings = plain(getattr(study.experiments_of(dataset), experiment))
    if metric == "full":
        return {"seeds": settings["seeds"]}
    unused = UNUSED_BY_RANDOM if metric == "random" else UNUSED
    return {k: v for k, v in settings.items() if k not in unused}


def sweep_upstream(dataset, metric):
    return data_lineage(dataset) if metric in BASELINES else score_lineage(dataset, metric)


@functools.cache
def sweep_lineage(dataset, experiment, metric):
    settings, before = sweep_settings(dataset, experiment, metric), sweep_upstream(dataset, metric)
    return fingerprint.value(before, study.seed, settings, recipe(dataset, "training"), code("sweep"))


def sweeps_lineage(dataset, *experiments):
    return [sweep_lineage(dataset, e, metric) for e in experiments for metric in drawn_metrics(dataset, e)]


def scores_lineage(dataset):
    return [score_lineage(dataset, metric) for metric in study.metrics]


def ensemble_lineage(dataset):
    return [dynamics_lineage(dataset), len(ensemble_seeds(dataset))]


def belief_lineage(dataset):
    return [ensemble_lineage(dataset), code("believe")]
