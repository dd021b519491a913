# Records -> one score per example and metric


rule score:
    input:
        dataset="data/{dataset}/dataset.h5",
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
        upstream=lambda w: lineages(score_sources(w.dataset, w.metric)),
        origin=lambda w: score_step(w.dataset, w.metric).origin,
        origins=lambda w, input: origins_of(input),
    message:
        "Score {wildcards.dataset} by {wildcards.metric}"
    script:
        "../scripts/score.py"
