# What the jobs ask a cluster for. No rerun depends on it, and runs on one machine ignore it (but for `gpu`).
#
# Each pair of functions answers Snakemake for one kind of rule; `attempt` grows with every retry.


@functools.cache
def size_of(dataset):
    return demand.Size.of(examples_of(dataset), shape_of(dataset))


def shape_of(dataset):
    """Channels, height and width of an image; None if only reading the source can tell."""
    section = dataset_section(dataset)
    base = shape_of(section.base) if isinstance(section, Derived) else None
    return image_shape(source_kind(dataset), source_settings(dataset), base)


@functools.cache
def light_demand(dataset):
    return demand.light(study.cluster, size_of(dataset), study.ensemble_of(dataset).epochs)


@functools.cache
def seed_demand(dataset):
    gradients = len((grand_full(dataset) or {"epochs": []})["epochs"])
    return demand.recording(study.cluster, size_of(dataset), recipe(dataset, "scoring"), DEVICE, gradients)


@functools.cache
def threshold_demand(dataset):
    return demand.recording(study.cluster, size_of(dataset), threshold_recipe(dataset), DEVICE)


@functools.cache
def swav_demand(dataset):
    return demand.features(study.cluster, size_of(dataset), swav_settings(dataset), DEVICE)


@functools.cache
def cluster_demand(dataset, k):
    return demand.clustering(study.cluster, size_of(dataset), k, elbow_range(dataset, k))


@functools.cache
def sweep_demand(dataset, experiment, metric):
    settings = sweep_settings(dataset, experiment, metric)
    recipes = [variant["recipe"] for variant in sweep_variants(dataset, experiment, metric)]
    if recipes:
        return demand.varying(study.cluster, size_of(dataset), recipes, DEVICE, settings)
    return demand.sweeping(
        study.cluster, size_of(dataset), recipe(dataset, "training"), DEVICE, experiment, metric, settings
    )


def light_memory(wildcards, attempt):
    return light_demand(wildcards.dataset).memory(attempt)


def light_minutes(wildcards, attempt):
    return light_demand(wildcards.dataset).minutes(attempt)


def seed_memory(wildcards, attempt):
    return seed_demand(wildcards.dataset).memory(attempt)


def seed_minutes(wildcards, attempt):
    return seed_demand(wildcards.dataset).minutes(attempt)


def threshold_memory(wildcards, attempt):
    return threshold_demand(wildcards.dataset).memory(attempt)


def threshold_minutes(wildcards, attempt):
    return threshold_demand(wildcards.dataset).minutes(attempt)


def swav_memory(wildcards, attempt):
    return swav_demand(wildcards.dataset).memory(attempt)


def swav_minutes(wildcards, attempt):
    return swav_demand(wildcards.dataset).minutes(attempt)


def cluster_memory(wildcards, attempt):
    return cluster_demand(wildcards.dataset, wildcards.k).memory(attempt)


def cluster_minutes(wildcards, attempt):
    return cluster_demand(wildcards.dataset, wildcards.k).minutes(attempt)


def sweep_memory(wildcards, attempt):
    return sweep_demand(wildcards.dataset, wildcards.experiment, wildcards.metric).memory(attempt)


def sweep_minutes(wildcards, attempt):
    return sweep_demand(wildcards.dataset, wildcards.experiment, wildcards.metric).minutes(attempt)
