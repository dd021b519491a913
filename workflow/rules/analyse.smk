# What follows from scores and sweeps: areas, costs, reliability, wrong labels, the thesis's claims, the ranking

EARLY_AND_FINAL = ("el2n_early", "el2n")  # compared for the claim that difficulty is known early
RELIABILITY_SPLITS = 10  # of the ensemble into halves (chosen: each costs two scorings by every metric)


def dynamics_metrics():
    """The metrics that are computed from the ensemble: name -> function and parameters."""
    return {metric: score_settings(metric) for metric in study.metrics if needs(metric) == "dynamics"}


def scoring_files(dataset, experiment):
    """What had to be computed before the scores were known: metric -> files."""
    return {metric: sources_of(dataset, metric) for metric in study.swept_metrics(dataset, experiment)}


def scoring_uses(dataset, experiment):
    """What of these files the scores need: metric -> arguments of `cost.price`."""
    return {
        metric: {"paths": files, **score_uses(metric)} for metric, files in scoring_files(dataset, experiment).items()
    }


def score_uses(metric):
    if needs(metric) != "dynamics":
        return {}
    function, parameters = study.metric_function(metric), study.metric_parameters(metric)
    return {
        "seeds": parameters.get("seeds"),
        "epochs": metric_files.last_epoch(parameters),
        "passes": metric_files.passes(function, parameters),
        "whole_gradient": metric_files.recorded(function) == "grand_full",
    }


def known_noise(dataset):
    """The names of the tables that need known wrong labels; none if there are no such labels."""
    return ["noise_detection"] if study.wrong_labels_of(dataset) else []


def judged(dataset):
    """The experiments that the claims are about."""
    return [
        name
        for name in ("prune_easiest", "prune_hardest", "sliding_window", "clusters")
        if name in study.swept(dataset)
    ]


def claim_sweeps(dataset):
    """The sweeps that the claims are about: name of the table -> metric -> file."""
    files = {experiment: sweep_files(dataset, experiment) for experiment in judged(dataset)}
    if study.experiments_of(dataset).label_noise.noisy:
        files["noisy_sliding_window"] = sweep_files(noisy_twin(dataset), "sliding_window")
    return files


def early_and_final(dataset):
    """How the early score and the final one are computed; nothing where one of them, or a second seed, is lacking."""
    there = set(EARLY_AND_FINAL) <= set(study.metrics) and len(ensemble_seeds(dataset)) > 1
    return [score_settings(metric) for metric in EARLY_AND_FINAL] if there else []


def other_networks(dataset):
    """The names of the tables that need the scores of other networks; none if there are no such networks."""
    return ["transfer"] if "transfer" in study.swept(dataset) else []


def correlation_step(dataset):
    return table(code("draw_correlation"), score_files(dataset))


def noise_step(dataset):
    return table(code("draw_noise_detection"), score_files(with_wrong_labels(dataset)))


def transfer_step(dataset):
    files = [*sweep_files(dataset, "transfer").values(), *named_scores(dataset, "transfer")]
    return table(code("draw_transfer"), files)


STEPS |= {
    re.compile(rf"results/(?P<dataset>{NAME})/correlation_pearson_intervals\.csv"): correlation_step,
    re.compile(rf"results/(?P<dataset>{NAME})/noise_detection\.csv"): noise_step,
    re.compile(rf"results/(?P<dataset>{NAME})/transfer\.csv"): transfer_step,
}


def area_inputs(wildcards):
    lacking = area_shares_lacking(wildcards.dataset)
    if lacking:
        raise WorkflowError(
            f"experiments.prune_easiest.shares of {wildcards.dataset}: the area needs {', '.join(map(str, lacking))} as well"
        )
    return sweep_files(wildcards.dataset, "prune_easiest").values()


rule draw_area:
    input:
        area_inputs,
    output:
        table="results/{dataset}/area.csv",
        figure="results/{dataset}/area.png",
    log:
        "results/{dataset}/logs/draw_area.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, "prune_easiest"),
        code=code("draw_area"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Compute the areas under the pruning curves of {wildcards.dataset}"
    script:
        "../scripts/draw_area.py"


rule draw_cost:
    input:
        lambda w: sweep_files(w.dataset, "prune_easiest").values(),
        lambda w: sum(scoring_files(w.dataset, "prune_easiest").values(), []),
    output:
        table="results/{dataset}/cost.csv",
        figure="results/{dataset}/cost.png",
    log:
        "results/{dataset}/logs/draw_cost.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: sweep_files(w.dataset, "prune_easiest"),
        scoring=lambda w: scoring_uses(w.dataset, "prune_easiest"),
        code=code("draw_cost"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Add up what pruning of {wildcards.dataset} costs"
    script:
        "../scripts/draw_cost.py"


def alone_files(dataset):
    """The trainings of a data set's report that are no points of a sweep: each says itself how fast it was."""
    features = [f"results/{dataset}/features/swav.h5"] if study.has_features(dataset) else []
    threshold = threshold_runs(dataset) if has_threshold(dataset) else []
    return [*ensemble_files(dataset), *features, *threshold, *landscape_files(dataset)]


def told_sweeps(dataset):
    """The sweeps of the report: experiment -> metric -> file."""
    return {name: sweep_files(dataset, name) for name in study.swept(dataset)}


rule sum_speed:
    input:
        lambda w: [path for sweeps in told_sweeps(w.dataset).values() for path in sweeps.values()],
        trainings=lambda w: alone_files(w.dataset),
    output:
        "results/{dataset}/speed.csv",
    log:
        "results/{dataset}/logs/sum_speed.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: told_sweeps(w.dataset),
        code=code("sum_speed"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Say how fast the trainings of {wildcards.dataset} were"
    script:
        "../scripts/sum_speed.py"


rule draw_reliability:
    input:
        unpack(own_dataset),
        dynamics=lambda w: ensemble_files(w.dataset),
    output:
        table="results/{dataset}/reliability.csv",
        figure="results/{dataset}/reliability.png",
    log:
        "results/{dataset}/logs/draw_reliability.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        metrics=dynamics_metrics(),
        splits=RELIABILITY_SPLITS,
        study_seed=study.seed,
        code=code("draw_reliability", *map(metric_module, dynamics_metrics())),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Score halves of the ensemble of {wildcards.dataset} and correlate them"
    script:
        "../scripts/draw_reliability.py"


rule draw_noise_detection:
    input:
        unpack(lambda w: dataset_input(with_wrong_labels(w.dataset))),
        scores=lambda w: score_files(with_wrong_labels(w.dataset)),
    output:
        table="results/{dataset}/noise_detection.csv",
        figure="results/{dataset}/noise_detection.png",
    log:
        "results/{dataset}/logs/draw_noise_detection.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        metrics=lambda w: study.metrics_of(with_wrong_labels(w.dataset)),
        noisy=lambda w: with_wrong_labels(w.dataset),
        study_seed=study.seed,
        code=code("draw_noise_detection"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Measure how well the metrics find wrong labels of {wildcards.dataset}"
    script:
        "../scripts/draw_noise_detection.py"


rule judge_claims:
    input:
        unpack(own_dataset),
        lambda w: [path for files in claim_sweeps(w.dataset).values() for path in files.values()],
        dynamics=lambda w: ensemble_files(w.dataset) if early_and_final(w.dataset) else [],
        correlation="results/{dataset}/correlation_pearson_intervals.csv",
        noise=lambda w: [f"results/{w.dataset}/{name}.csv" for name in known_noise(w.dataset)],
        transfer=lambda w: [f"results/{w.dataset}/{name}.csv" for name in other_networks(w.dataset)],
    output:
        "results/{dataset}/claims.csv",
    log:
        "results/{dataset}/logs/judge_claims.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        sweeps=lambda w: claim_sweeps(w.dataset),
        early_and_final=lambda w: early_and_final(w.dataset),
        splits=RELIABILITY_SPLITS,
        study_seed=study.seed,
        code=code("judge_claims", *dict.fromkeys(metric_module(m) for m in EARLY_AND_FINAL if m in study.metrics)),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Judge the claims of the thesis on {wildcards.dataset}"
    script:
        "../scripts/judge_claims.py"


def belief_step(dataset):
    return step("belief", code("believe"), ensemble_files(dataset))


STEPS |= {
    re.compile(rf"results/(?P<dataset>{NAME})/belief(_test)?\.csv"): belief_step,
}


rule believe:
    input:
        unpack(own_dataset),
        dynamics=lambda w: ensemble_files(w.dataset),
    output:
        train="results/{dataset}/belief.csv",
        test="results/{dataset}/belief_test.csv",
    log:
        "results/{dataset}/logs/believe.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        code=code("believe"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Average what the ensemble believes of {wildcards.dataset} and flag likely wrong labels"
    script:
        "../scripts/believe.py"


def threshold_votes(dataset):
    """The table of labels below the learned cut-off, where the data set has one."""
    return [f"results/{dataset}/threshold_votes.csv"] if has_threshold(dataset) else []


rule rank_examples:
    input:
        unpack(own_dataset),
        belief="results/{dataset}/belief.csv",
        scores=lambda w: score_files(w.dataset),
        votes=lambda w: threshold_votes(w.dataset),
    output:
        "results/{dataset}/ranking.csv",
    log:
        "results/{dataset}/logs/rank_examples.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        metrics=lambda w: study.metrics_of(w.dataset),
        code=code("rank_examples"),
        threshold=plain(study.threshold),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Rank the examples of {wildcards.dataset}"
    script:
        "../scripts/rank_examples.py"
