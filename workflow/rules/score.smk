# Records -> one score per example and metric


def score_settings(metric):
    return {"function": study.metric_function(metric_of(metric)), "parameters": study.metric_parameters(metric)}


def score_code(metric):
    source = metric_files.SOURCES[needs(metric)]
    return code("score", metric_module(metric), *filter(None, [source]))


def score_step(dataset, metric):
    files = [dataset_file(dataset), *sources_of(dataset, metric)]
    return step([study.seed, score_settings(metric)], score_code(metric), files)


STEPS |= {
    re.compile(rf"results/(?P<dataset>{NAME})/scores/(?P<metric>{NAME})\.h5"): score_step,
}


rule score:
    input:
        unpack(own_dataset),
        source=lambda w: sources_of(w.dataset, w.metric),
    output:
        "results/{dataset}/scores/{metric}.h5",
    log:
        "results/{dataset}/logs/score/{metric}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        settings=lambda w: score_settings(w.metric),
        study_seed=study.seed,
        code=lambda w: score_code(w.metric),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Score {wildcards.dataset} by {wildcards.metric}"
    script:
        "../scripts/score.py"
