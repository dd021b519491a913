# Scores -> pruned trainings, through the run store


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


STEPS |= {
    re.compile(rf"results/(?P<dataset>{NAME})/sweeps/(?P<experiment>\w+)/(?P<metric>{NAME})\.csv"): sweep_step,
}


rule sweep:
    input:
        unpack(own_dataset),
        unpack(lambda w: chosen_by(w.dataset, w.experiment, w.metric)),
    output:
        "results/{dataset}/sweeps/{experiment}/{metric}.csv",
    log:
        "results/{dataset}/logs/sweep/{experiment}/{metric}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=gpu_wanted,
        mem_mb=sweep_memory,
        runtime=sweep_minutes,
    params:
        settings=lambda w: sweep_settings(w.dataset, w.experiment, w.metric),
        recipe=lambda w: recipe(w.dataset, "training"),
        variants=lambda w: sweep_variants(w.dataset, w.experiment, w.metric),
        study_seed=study.seed,
        runs=lambda w: f"results/{w.dataset}/runs",
        training_code=TRAINING_CODE,
        code=code("sweep"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Train for {wildcards.experiment} of {wildcards.dataset} by {wildcards.metric} what is not in the run store"
    script:
        "../scripts/sweep.py"


def subset_score(wildcards):
    """What a part of the data goes by; a range that is none is refused before any job."""
    with refused_in_words():
        sizes.difficulties(wildcards.begin, wildcards.end)
    return f"results/{wildcards.dataset}/scores/{wildcards.metric}.h5"


# What a study is made for: the part of the training set to use, {begin} to {end} percent in the order of difficulty
rule list_subset:
    input:
        unpack(own_dataset),
        score=subset_score,
    output:
        "results/{dataset}/subsets/{metric}_{begin}-{end}{balanced}.csv",
    log:
        "results/{dataset}/logs/subsets/{metric}_{begin}-{end}{balanced}.log",
    wildcard_constraints:
        begin=r"\d+(\.\d+)?",
        end=r"\d+(\.\d+)?",
        balanced="(_balanced)?",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        study_seed=study.seed,
        code=code("list_subset"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "List the examples of {wildcards.dataset} from {wildcards.begin} to {wildcards.end}% by {wildcards.metric}"
    script:
        "../scripts/list_subset.py"
