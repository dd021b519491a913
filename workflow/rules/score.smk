# Records -> one score per example and metric


rule score:
    input:
        unpack(images),
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
