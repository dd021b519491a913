# When difficulty can be told, and from what: earlier epochs, fewer seeds, another network, the whole gradient

SEED_SUBSETS = 10  # of the ensemble, for every number of seeds (chosen: each costs two scorings by every metric)


def drawn_diet(dataset):
    """The figures of this file that a data set asks for."""
    asked = [name for name in ("score_epoch", "seeds", "transfer") if name in study.swept(dataset)]
    return [*asked, *(["grand_full"] if grand_full(dataset) else [])]


OPTIONAL_FIGURES.append(drawn_diet)


def named_metrics(dataset, experiment):
    """What an experiment scores by, in order: metric, epoch or number or data set, name."""
    experiment_settings(dataset, experiment)  # says so if there is no such data set, or the experiment is off
    found = study.ensemble_metrics(dataset, experiment)
    return [[metric, where, name] for metric, names in found.items() for where, name in names.items()]


def named_scores(dataset, experiment):
    names = [name for _, _, name in named_metrics(dataset, experiment)]
    return [f"results/{dataset}/scores/{name}.h5" for name in names]


def modules_of(dataset, experiment):
    """The files of the metrics that an experiment scores by."""
    return dict.fromkeys(metric_module(metric) for metric, _, _ in named_metrics(dataset, experiment))


rule draw_score_epoch:
    input:
        unpack(own_dataset),
        lambda w: sweep_files(w.dataset, "score_epoch").values(),
        dynamics=lambda w: ensemble_files(w.dataset),
        scores=lambda w: named_scores(w.dataset, "score_epoch"),
        input_norm="results/{dataset}/scores/input_norm.h5",
    output:
        table="results/{dataset}/score_epoch.csv",
        figure="results/{dataset}/score_epoch.png",
    log:
        "results/{dataset}/logs/draw_score_epoch.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, "score_epoch"),
        names=lambda w: named_metrics(w.dataset, "score_epoch"),
        metrics=lambda w: {name: score_settings(name) for _, _, name in named_metrics(w.dataset, "score_epoch")},
        splits=RELIABILITY_SPLITS,
        study_seed=study.seed,
        code=lambda w: code("draw_score_epoch", *modules_of(w.dataset, "score_epoch")),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw score_epoch of {wildcards.dataset}"
    script:
        "../scripts/draw_score_epoch.py"


rule draw_seeds:
    input:
        unpack(own_dataset),
        lambda w: sweep_files(w.dataset, "seeds").values(),
        dynamics=lambda w: ensemble_files(w.dataset),
    output:
        table="results/{dataset}/seeds.csv",
        figure="results/{dataset}/seeds.png",
    log:
        "results/{dataset}/logs/draw_seeds.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, "seeds"),
        names=lambda w: named_metrics(w.dataset, "seeds"),
        metrics=lambda w: {metric: score_settings(metric) for metric, _, _ in named_metrics(w.dataset, "seeds")},
        subsets=SEED_SUBSETS,
        study_seed=study.seed,
        code=lambda w: code("draw_seeds", *modules_of(w.dataset, "seeds")),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw seeds of {wildcards.dataset}"
    script:
        "../scripts/draw_seeds.py"


rule draw_transfer:
    input:
        unpack(own_dataset),
        lambda w: sweep_files(w.dataset, "transfer").values(),
        scores=lambda w: named_scores(w.dataset, "transfer"),
    output:
        table="results/{dataset}/transfer.csv",
        figure="results/{dataset}/transfer.png",
    log:
        "results/{dataset}/logs/draw_transfer.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, "transfer"),
        names=lambda w: named_metrics(w.dataset, "transfer"),
        study_seed=study.seed,
        code=code("draw_transfer"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw transfer of {wildcards.dataset}"
    script:
        "../scripts/draw_transfer.py"


def gradients_recorded(dataset):
    """When whole gradients are recorded, after a check that they are."""
    dataset_section(dataset)
    section = grand_full(dataset)
    if section is None:
        raise WorkflowError(
            f"the ensemble of {dataset} has no section grand_full, so whole gradients are not recorded: name the epochs in "
            f"datasets.{dataset}.ensemble.grand_full (`grand_full: {{epochs: [2]}}`)"
        )
    return section


rule draw_grand_full:
    input:
        unpack(own_dataset),
        dynamics=lambda w: ensemble_files(w.dataset),
    output:
        table="results/{dataset}/grand_full.csv",
        figure="results/{dataset}/grand_full.png",
    log:
        "results/{dataset}/logs/draw_grand_full.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        settings=lambda w: gradients_recorded(w.dataset),
        study_seed=study.seed,
        code=code(
            "draw_grand_full",
            *(f"pipeline_lib.metrics.{name}" for name in ("grand_full", "grand", "el2n", "input_norm")),
        ),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw grand_full of {wildcards.dataset}"
    script:
        "../scripts/draw_grand_full.py"
