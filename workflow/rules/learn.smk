# Trainings that are recorded once: the ensemble, SwAV, k-means


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


STEPS |= {
    re.compile(rf"results/(?P<dataset>{NAME})/dynamics/seed(?P<seed>\d+)\.h5"): dynamics_step,
    re.compile(rf"results/(?P<dataset>{NAME})/features/swav\.h5"): features_step,
    re.compile(rf"results/(?P<dataset>{NAME})/clusters/(?P<features>[a-z]+)-(?P<k>\w+)\.h5"): clusters_step,
}


rule train_seed:
    input:
        unpack(own_dataset),
    output:
        "results/{dataset}/dynamics/seed{seed}.h5",
    log:
        "results/{dataset}/logs/train_seed/{seed}.log",
    priority: 1  # before sweeps that wait for no score: others wait for this
    conda:
        ENVIRONMENT
    resources:
        gpu=gpu_wanted,
        mem_mb=seed_memory,
        runtime=seed_minutes,
    params:
        recipe=lambda w: recipe(w.dataset, "scoring"),
        purpose=lambda w: study.ensemble_purpose(w.dataset),
        grand_full=lambda w: grand_full(w.dataset),
        study_seed=study.seed,
        code=code("train_seed"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Train seed {wildcards.seed} of the ensemble on {wildcards.dataset} and record its dynamics"
    script:
        "../scripts/train_seed.py"


rule train_swav:
    input:
        unpack(own_dataset),
    output:
        "results/{dataset}/features/swav.h5",
    log:
        "results/{dataset}/logs/train_swav.log",
    priority: 2  # the longest that others wait for
    conda:
        ENVIRONMENT
    threads: lambda w: swav_settings(w.dataset)["threads"]
    resources:
        gpu=gpu_wanted,
        mem_mb=swav_memory,
        runtime=swav_minutes,
    params:
        settings=lambda w: swav_training(w.dataset),
        study_seed=study.seed,
        code=code("train_swav"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Train SwAV on {wildcards.dataset}, without labels"
    script:
        "../scripts/train_swav.py"


rule cluster:
    input:
        unpack(own_dataset),
        features="results/{dataset}/features/swav.h5",
    output:
        "results/{dataset}/clusters/{features}-{k}.h5",
    log:
        "results/{dataset}/logs/cluster/{features}-{k}.log",
    conda:
        ENVIRONMENT
    threads: lambda w: swav_settings(w.dataset)["threads"]
    resources:
        gpu=gpu_for_kmeans,
        mem_mb=cluster_memory,
        runtime=cluster_minutes,
    params:
        study_seed=study.seed,
        elbow=lambda w: elbow_range(w.dataset, w.k),
        threads=lambda w: swav_settings(w.dataset)["threads"],
        code=code("cluster"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Cluster the {wildcards.features} features of {wildcards.dataset} with k-means, k = {wildcards.k}"
    script:
        "../scripts/cluster.py"
