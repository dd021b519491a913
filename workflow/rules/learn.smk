# Trainings that are recorded once: the ensemble, SwAV, k-means


rule train_seed:
    input:
        unpack(images),
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
        unpack(images),
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
        unpack(images),
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
