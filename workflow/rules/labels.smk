# Labels that are probably wrong: trainings with threshold examples, the cut-off that is learned from them, and what it is worth


def threshold_recipe(dataset):
    """The recipe of the trainings with threshold examples."""
    if dataset_section(dataset).recipes.threshold is None:
        raise WorkflowError(
            f"datasets.{dataset}.recipes.threshold names no recipe, so there is no learned cut-off. Name one whose learning rate "
            "stays (`schedule: {name: constant}`) and whose batch is small"
        )
    warn_of_rate_drops(dataset)
    return recipe(dataset, "threshold")


@functools.cache
def warn_of_rate_drops(dataset):
    why = study.rate_drops(dataset)
    if why and workflow.is_main_process:
        logger.warning(why)


def threshold_runs(dataset):
    threshold_recipe(dataset)
    return [f"results/{dataset}/threshold/run{run}.h5" for run in range(study.threshold.runs)]


def threshold_step(dataset, run):
    settings = [study.seed, threshold_recipe(dataset), "threshold", int(run)]
    return step(settings, code("train_seed"), [dataset_file(dataset)])


def votes_step(dataset):
    return step(["votes", study.seed, plain(study.threshold)], code("judge_threshold"), threshold_runs(dataset))


STEPS |= {
    re.compile(rf"results/(?P<dataset>{NAME})/threshold/run(?P<run>\d+)\.h5"): threshold_step,
    re.compile(rf"results/(?P<dataset>{NAME})/threshold_votes\.csv"): votes_step,
}


def has_threshold(dataset):
    return dataset_section(dataset).recipes.threshold is not None


def noise_kinds(dataset):
    """The data sets with wrong labels of several kinds, and the files that say what is doubted in each."""
    kinds = dataset_section(dataset) and study.experiments_of(dataset).label_noise.kinds
    if not kinds:
        raise WorkflowError(
            f"datasets.{dataset}.experiments.label_noise.kinds names no data set: list those with `base: {dataset}` and "
            "`flip_labels:` that have `recipes.threshold`"
        )
    return {
        kind: {
            "dataset": dataset_file(kind),
            "votes": f"results/{kind}/threshold_votes.csv",
            "dynamics": ensemble_files(kind),
        }
        for kind in kinds
    }


def noise_kind_files(dataset):
    kinds = noise_kinds(dataset)
    data = [path for kind in kinds for path in dataset_input(kind).values()]
    return data + [path for files in kinds.values() for path in (files["votes"], *files["dynamics"])]


rule train_threshold:
    input:
        unpack(own_dataset),
    output:
        "results/{dataset}/threshold/run{seed}.h5",
    log:
        "results/{dataset}/logs/train_threshold/{seed}.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=gpu_wanted,
        mem_mb=threshold_memory,
        runtime=threshold_minutes,
    params:
        recipe=lambda w: threshold_recipe(w.dataset),
        purpose="threshold",
        grand_full=None,
        caveat=lambda w: study.rate_drops(w.dataset),
        study_seed=study.seed,
        code=code("train_seed"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Train run {wildcards.seed} with threshold examples on {wildcards.dataset} and record its dynamics"
    script:
        "../scripts/train_seed.py"


rule judge_threshold:
    input:
        unpack(own_dataset),
        runs=lambda w: threshold_runs(w.dataset),
    output:
        votes="results/{dataset}/threshold_votes.csv",
        table="results/{dataset}/threshold.csv",
    log:
        "results/{dataset}/logs/judge_threshold.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        settings=plain(study.threshold),
        study_seed=study.seed,
        code=code("judge_threshold"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Cut off the labels of {wildcards.dataset} that are like threshold examples"
    script:
        "../scripts/judge_threshold.py"


rule draw_margins:
    input:
        unpack(own_dataset),
        run="results/{dataset}/threshold/run0.h5",
        votes="results/{dataset}/threshold_votes.csv",
    output:
        table="results/{dataset}/threshold_margins.csv",
        figure="results/{dataset}/threshold_margins.png",
    log:
        "results/{dataset}/logs/draw_margins.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        settings=plain(study.threshold),
        code=code("draw_margins"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the margins of {wildcards.dataset} and the cut-off"
    script:
        "../scripts/draw_margins.py"


rule draw_noise_cutoff:
    input:
        lambda w: noise_kind_files(w.dataset),
    output:
        table="results/{dataset}/noise_cutoff.csv",
        figure="results/{dataset}/noise_cutoff.png",
    log:
        "results/{dataset}/logs/draw_noise_cutoff.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        kinds=lambda w: noise_kinds(w.dataset),
        metrics=dynamics_metrics(),
        study_seed=study.seed,
        code=code("draw_noise_cutoff", *map(metric_module, dynamics_metrics())),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Measure what the flags of {wildcards.dataset} are worth with several kinds of wrong labels"
    script:
        "../scripts/draw_noise_cutoff.py"


rule draw_relabel:
    input:
        lambda w: relabel_files(w.dataset).values(),
    output:
        table="results/{dataset}/relabel.csv",
        figure="results/{dataset}/relabel.png",
    log:
        "results/{dataset}/logs/draw_relabel.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: relabel_files(w.dataset),
        code=code("draw_relabel"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw what {wildcards.dataset} gains without the doubted labels"
    script:
        "../scripts/draw_relabel.py"


def relabel_files(dataset):
    """The sweeps of the experiment: who doubts -> file; its random subsets are in the same file, so only all data are beside."""
    return {name: path for name, path in sweep_files(dataset, "relabel").items() if name != "random"}


def label_figures(dataset):
    experiments = study.experiments_of(dataset)
    cutoff = ["threshold_margins"] if has_threshold(dataset) else []
    return [*cutoff, *["noise_cutoff"] * bool(experiments.label_noise.kinds), *["relabel"] * bool(experiments.relabel)]


OPTIONAL_FIGURES.append(label_figures)
OPTIONAL_TABLES.append(lambda dataset: ["threshold"] * has_threshold(dataset))
