# Single classes: which are confused, and what pruning leaves of small ones


def starving_share(dataset):
    """The pruned share at which every class is shown."""
    return experiment_settings(dataset, "pruning_imbalanced")["share"]


def balance_figures(dataset):
    return ["pruning_imbalanced"] if study.experiments_of(dataset).pruning_imbalanced else []


OPTIONAL_FIGURES.append(balance_figures)


rule draw_confusion:
    input:
        "results/{dataset}/sweeps/prune_easiest/full.csv",
    output:
        table="results/{dataset}/confusion.csv",
        figure="results/{dataset}/confusion.png",
    log:
        "results/{dataset}/logs/draw_confusion.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        code=code("draw_confusion"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw which classes of {wildcards.dataset} are confused"
    script:
        "../scripts/draw_confusion.py"


rule draw_pruning_imbalanced:
    input:
        lambda w: sweep_files(w.dataset, "prune_easiest").values(),
    output:
        table="results/{dataset}/pruning_imbalanced.csv",
        figure="results/{dataset}/pruning_imbalanced.png",
    log:
        "results/{dataset}/logs/draw_pruning_imbalanced.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, "prune_easiest"),
        share=lambda w: starving_share(w.dataset),
        code=code("draw_pruning_imbalanced"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw what pruning leaves of the classes of {wildcards.dataset}"
    script:
        "../scripts/draw_pruning_imbalanced.py"
