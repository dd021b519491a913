# Trainings that are recorded once: the ensemble, SwAV, k-means


rule train_seed:
    input:
        "data/{dataset}/dataset.h5",
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
        upstream=lambda w: data_step(w.dataset).lineage,
        origin=lambda w: dynamics_step(w.dataset, w.seed).origin,
        origins=lambda w, input: origins_of(input),
    message:
        "Train seed {wildcards.seed} of the ensemble on {wildcards.dataset} and record its dynamics"
    script:
        "../scripts/train_seed.py"


rule train_swav:
    input:
        "data/{dataset}/dataset.h5",
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
        upstream=lambda w: data_step(w.dataset).lineage,
        origin=lambda w: features_step(w.dataset).origin,
        origins=lambda w, input: origins_of(input),
    message:
        "Train SwAV on {wildcards.dataset}, without labels"
    script:
        "../scripts/train_swav.py"


rule cluster:
    input:
        dataset="data/{dataset}/dataset.h5",
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
        upstream=lambda w: features_step(w.dataset).lineage,
        origin=lambda w: clusters_step(w.dataset, w.features, w.k).origin,
        origins=lambda w, input: origins_of(input),
    message:
        "Cluster the {wildcards.features} features of {wildcards.dataset} with k-means, k = {wildcards.k}"
    script:
        "../scripts/cluster.py"
