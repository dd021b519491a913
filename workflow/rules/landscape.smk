# What hard examples do to the landscape of the loss: trainings on all examples, of which no network is kept


def landscape_recipe(dataset, experiment):
    """The recipe that the experiment trains by: its own, or the data set's for training."""
    name = experiment_settings(dataset, experiment)["recipe"]
    return plain(study.recipes[name]) if name else recipe(dataset, "training")


def landscape_settings(dataset, experiment):
    """What a training of the experiment uses of its section, after a look at whether the data set is large enough."""
    settings, counts = experiment_settings(dataset, experiment), examples_of(dataset)
    if counts:
        with refused_in_words():
            groups.check(experiment, settings, sum(counts), f"datasets.{dataset}.experiments.{experiment}")
    return {k: v for k, v in settings.items() if k not in ("recipe", "pairs", "seeds")}


def landscape_scores(dataset, experiment):
    metric = landscape_settings(dataset, experiment)["metric"]
    return f"results/{dataset}/scores/{metric}.h5"


def landscape_step(dataset, experiment, script, number):
    settings, values = landscape_settings(dataset, experiment), landscape_recipe(dataset, experiment)
    files = [dataset_file(dataset), landscape_scores(dataset, experiment)]
    return step([study.seed, settings, values, int(number)], code(script), files)


def connectivity_step(dataset, pair):
    return landscape_step(dataset, "connectivity", "train_connectivity", pair)


def kernels_step(dataset, seed):
    return landscape_step(dataset, "kernel_velocity", "train_kernels", seed)


STEPS |= {
    re.compile(rf"results/(?P<dataset>{NAME})/connectivity/pair(?P<pair>\d+)\.h5"): connectivity_step,
    re.compile(rf"results/(?P<dataset>{NAME})/kernels/seed(?P<seed>\d+)\.h5"): kernels_step,
}


def pairs_of(dataset):
    return range(experiment_settings(dataset, "connectivity")["pairs"])


def kernel_seeds(dataset):
    return range(experiment_settings(dataset, "kernel_velocity")["seeds"])


def connectivity_files(dataset):
    return [f"results/{dataset}/connectivity/pair{pair}.h5" for pair in pairs_of(dataset)]


def kernels_files(dataset):
    return [f"results/{dataset}/kernels/seed{seed}.h5" for seed in kernel_seeds(dataset)]


@functools.cache
def landscape_demand(dataset, experiment):
    settings, values = landscape_settings(dataset, experiment), landscape_recipe(dataset, experiment)
    estimate = {"connectivity": demand.connecting, "kernel_velocity": demand.turning}[experiment]
    return estimate(study.cluster, size_of(dataset), values, DEVICE, settings)


rule train_connectivity:
    input:
        unpack(own_dataset),
        scores=lambda w: landscape_scores(w.dataset, "connectivity"),
    output:
        "results/{dataset}/connectivity/pair{pair}.h5",
    log:
        "results/{dataset}/logs/train_connectivity/{pair}.log",
    wildcard_constraints:
        pair=r"\d+",
    conda:
        ENVIRONMENT
    resources:
        gpu=gpu_wanted,
        mem_mb=lambda w, attempt: landscape_demand(w.dataset, "connectivity").memory(attempt),
        runtime=lambda w, attempt: landscape_demand(w.dataset, "connectivity").minutes(attempt),
    params:
        settings=lambda w: landscape_settings(w.dataset, "connectivity"),
        recipe=lambda w: landscape_recipe(w.dataset, "connectivity"),
        study_seed=study.seed,
        code=code("train_connectivity"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Train the branching networks of pair {wildcards.pair} on {wildcards.dataset} and look along the lines between them"
    script:
        "../scripts/train_connectivity.py"


rule train_kernels:
    input:
        unpack(own_dataset),
        scores=lambda w: landscape_scores(w.dataset, "kernel_velocity"),
    output:
        "results/{dataset}/kernels/seed{seed}.h5",
    log:
        "results/{dataset}/logs/train_kernels/{seed}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=gpu_wanted,
        mem_mb=lambda w, attempt: landscape_demand(w.dataset, "kernel_velocity").memory(attempt),
        runtime=lambda w, attempt: landscape_demand(w.dataset, "kernel_velocity").minutes(attempt),
    params:
        settings=lambda w: landscape_settings(w.dataset, "kernel_velocity"),
        recipe=lambda w: landscape_recipe(w.dataset, "kernel_velocity"),
        study_seed=study.seed,
        code=code("train_kernels"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Train seed {wildcards.seed} of the tangent kernels on {wildcards.dataset} and measure their velocity"
    script:
        "../scripts/train_kernels.py"


rule draw_connectivity:
    input:
        unpack(own_dataset),
        lines=lambda w: connectivity_files(w.dataset),
    output:
        table="results/{dataset}/connectivity.csv",
        figure="results/{dataset}/connectivity.png",
    log:
        "results/{dataset}/logs/draw_connectivity.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        settings=lambda w: landscape_settings(w.dataset, "connectivity"),
        code=code("draw_connectivity"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the connectivity of {wildcards.dataset}"
    script:
        "../scripts/draw_connectivity.py"


rule draw_kernel_velocity:
    input:
        unpack(own_dataset),
        kernels=lambda w: kernels_files(w.dataset),
    output:
        table="results/{dataset}/kernel_velocity.csv",
        figure="results/{dataset}/kernel_velocity.png",
    log:
        "results/{dataset}/logs/draw_kernel_velocity.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        settings=lambda w: landscape_settings(w.dataset, "kernel_velocity"),
        code=code("draw_kernel_velocity"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the kernel_velocity of {wildcards.dataset}"
    script:
        "../scripts/draw_kernel_velocity.py"


def landscape_figures(dataset):
    experiments = study.experiments_of(dataset)
    return [name for name in ("connectivity", "kernel_velocity") if getattr(experiments, name) is not None]


def landscape_files(dataset):
    files_of = {"connectivity": connectivity_files, "kernel_velocity": kernels_files}
    return [path for name in landscape_figures(dataset) for path in files_of[name](dataset)]


OPTIONAL_FIGURES.append(landscape_figures)
