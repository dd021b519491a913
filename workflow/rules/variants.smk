# Experiments that change the recipe instead of the subset


def varied_figures(dataset):
    return [experiment for experiment in VARIED if experiment in study.swept(dataset)]


def varied_tables(dataset):
    return ["sweep_losses"] if "sweep" in study.swept(dataset) else []


OPTIONAL_FIGURES.append(varied_figures)
OPTIONAL_TABLES.append(varied_tables)


def own_values(dataset):
    """The values that the data set's recipe has itself: key -> value, or None if that is not tried."""
    own = recipe(dataset, "training")
    points = {
        key: [each["point"] for each in sweep_variants(dataset, "sweep", name) if each["recipe"] == own]
        for name, key in swept_keys(dataset).items()
    }
    return {key: found[0] if found else None for key, found in points.items()}


def swept_keys(dataset):
    """The keys of the recipe that are swept: their names in files -> as they stand in the recipe."""
    experiment_settings(dataset, "sweep")  # says so if there is no such data set, or the experiment is off
    return study.experiments_of(dataset).sweep.keys()


rule draw_imbalance:
    input:
        unpack(own_dataset),
        lambda w: sweep_files(w.dataset, "imbalance").values(),
    output:
        table="results/{dataset}/imbalance.csv",
        figure="results/{dataset}/imbalance.png",
    log:
        "results/{dataset}/logs/draw_imbalance.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, "imbalance"),
        code=code("draw_imbalance"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw imbalance of {wildcards.dataset}"
    script:
        "../scripts/draw_imbalance.py"


rule draw_recipe_values:
    input:
        unpack(own_dataset),
        lambda w: sweep_files(w.dataset, "sweep").values(),
    output:
        table="results/{dataset}/sweep.csv",
        losses="results/{dataset}/sweep_losses.csv",
        figure="results/{dataset}/sweep.png",
    log:
        "results/{dataset}/logs/draw_recipe_values.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: {swept_keys(w.dataset)[name]: path for name, path in sweep_files(w.dataset, "sweep").items()},
        own=lambda w: own_values(w.dataset),
        name=lambda w: dataset_section(w.dataset).recipes.training,
        code=code("draw_recipe_values"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw sweep of {wildcards.dataset}"
    script:
        "../scripts/draw_recipe_values.py"
