# Tables and figures of the experiments, and how much the metrics agree

QUESTIONS = {
    "sliding_window": "accuracy after training on a window of the data, chosen by difficulty",
    "prune_easiest": "accuracy after training without the easiest examples",
    "prune_hardest": "accuracy after training without the easiest, and without the hardest examples",
    "prune_stratified": "accuracy after training on examples spread evenly over all difficulties",
    "clusters": "does the number of clusters matter for km? Accuracy without the easiest examples",
    "prune_fixed": "test accuracy from epoch to epoch, without the easiest {share:.0%} of the examples",
    "curriculum": "test accuracy from epoch to epoch, when the easiest or the hardest examples come first",
    "label_noise": "windows of the data with right labels, and with {share:.0%} of the labels made wrong",
}


def sweep_inputs(wildcards):
    return sweep_files(wildcards.dataset, wildcards.experiment).values()


def legend_names(experiment, dataset):
    """What the metrics of the experiment `clusters` are called: by their number of clusters."""
    if experiment != "clusters":
        return {}
    return {name: f"k = {name.split('_')[-1]}" for name in study.swept_metrics(dataset, experiment)}


def cluster_files(experiment, dataset):
    """The clusterings of the experiment `clusters`: metric -> file."""
    if experiment != "clusters":
        return {}
    return {name: clusters_file(dataset, name) for name in study.swept_metrics(dataset, experiment)}


rule draw_sweeps:
    input:
        unpack(own_dataset),
        sweep_inputs,
        lambda w: cluster_files(w.experiment, w.dataset).values(),
    output:
        table="results/{dataset}/{experiment}.csv",
        figure="results/{dataset}/{experiment}.png",
    log:
        "results/{dataset}/logs/draw_sweeps/{experiment}.log",
    wildcard_constraints:
        experiment="sliding_window|prune_easiest|prune_stratified|clusters",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, w.experiment),
        question=lambda w: QUESTIONS[w.experiment],
        names=lambda w: legend_names(w.experiment, w.dataset),
        clusters=lambda w: cluster_files(w.experiment, w.dataset),
        code=code("draw_sweeps"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw {wildcards.experiment} of {wildcards.dataset}"
    script:
        "../scripts/draw_sweeps.py"


def beside(dataset, experiment, title, of=None):
    return {"title": title, "experiment": experiment, "sweeps": sweep_files(of or dataset, experiment)}


rule draw_both_ends:
    input:
        unpack(own_dataset),
        lambda w: sweep_files(w.dataset, "prune_easiest").values(),
        lambda w: sweep_files(w.dataset, "prune_hardest").values(),
    output:
        table="results/{dataset}/prune_hardest.csv",
        figure="results/{dataset}/prune_hardest.png",
    log:
        "results/{dataset}/logs/draw_both_ends.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sides=lambda w: [beside(w.dataset, f"prune_{end}", f"{end} pruned") for end in ("easiest", "hardest")],
        column="side",
        question=QUESTIONS["prune_hardest"],
        code=code("draw_beside"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw prune_hardest beside prune_easiest of {wildcards.dataset}"
    script:
        "../scripts/draw_beside.py"


rule draw_label_noise:
    input:
        unpack(own_dataset),
        lambda w: sweep_files(w.dataset, "sliding_window").values(),
        lambda w: sweep_files(noisy_twin(w.dataset), "sliding_window").values(),
    output:
        table="results/{dataset}/label_noise.csv",
        figure="results/{dataset}/label_noise.png",
    log:
        "results/{dataset}/logs/draw_label_noise.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sides=lambda w: [
            beside(w.dataset, "sliding_window", "labels as they are"),
            beside(
                w.dataset,
                "sliding_window",
                f"{wrong_share(w.dataset):.0%} of the labels made wrong",
                noisy_twin(w.dataset),
            ),
        ],
        column="labels",
        question=lambda w: QUESTIONS["label_noise"].format(share=wrong_share(w.dataset)),
        code=code("draw_beside"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the sliding window of {wildcards.dataset} beside that with wrong labels"
    script:
        "../scripts/draw_beside.py"


rule draw_curves:
    input:
        sweep_inputs,
    output:
        table="results/{dataset}/{experiment}.csv",
        figure="results/{dataset}/{experiment}.png",
    log:
        "results/{dataset}/logs/draw_curves/{experiment}.log",
    wildcard_constraints:
        experiment="prune_fixed|curriculum",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, w.experiment),
        settings=lambda w: plain(getattr(study.experiments_of(w.dataset), w.experiment)),
        epochs=lambda w: recipe(w.dataset, "training")["epochs"],
        question=lambda w: QUESTIONS[w.experiment].format(share=study.experiments_of(w.dataset).prune_fixed.share),
        code=code("draw_curves"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw {wildcards.experiment} of {wildcards.dataset} from epoch to epoch"
    script:
        "../scripts/draw_curves.py"


rule draw_correlation:
    input:
        unpack(own_dataset),
        scores=lambda w: score_files(w.dataset),
    output:
        table="results/{dataset}/correlation_{method}.csv",
        intervals="results/{dataset}/correlation_{method}_intervals.csv",
        figure="results/{dataset}/correlation_{method}.png",
    log:
        "results/{dataset}/logs/draw_correlation/{method}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        metrics=lambda w: study.metrics_of(w.dataset),
        study_seed=study.seed,
        code=code("draw_correlation"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Correlate the metrics on {wildcards.dataset} ({wildcards.method})"
    script:
        "../scripts/draw_correlation.py"
