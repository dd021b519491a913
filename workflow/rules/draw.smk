# Tables and figures


rule draw_sliding_window:
    input:
        expand("results/{{dataset}}/sweeps/sliding_window/{metric}.csv", metric=drawn_metrics()),
    output:
        table="results/{dataset}/sliding_window.csv",
        figure="results/{dataset}/sliding_window.png",
    log:
        "results/{dataset}/logs/draw_sliding_window.log",
    conda:
        ENVIRONMENT
    params:
        metrics=drawn_metrics(),
        size=study.experiments.sliding_window.size,
        code=code("draw_sliding_window"),
        upstream=lambda w: [sweep_lineage(w.dataset, m) for m in drawn_metrics()],
    message:
        "Draw the sliding window of {wildcards.dataset}"
    script:
        "../scripts/draw_sliding_window.py"


rule draw_correlation:
    input:
        dataset="data/{dataset}/dataset.h5",
        scores=expand("results/{{dataset}}/scores/{metric}.h5", metric=study.metrics),
    output:
        table="results/{dataset}/correlation_{method}.csv",
        figure="results/{dataset}/correlation_{method}.png",
    log:
        "results/{dataset}/logs/draw_correlation/{method}.log",
    conda:
        ENVIRONMENT
    params:
        metrics=list(study.metrics),
        code=code("draw_correlation"),
        upstream=lambda w: [score_lineage(w.dataset, m) for m in study.metrics],
    message:
        "Correlate the metrics on {wildcards.dataset} ({wildcards.method})"
    script:
        "../scripts/draw_correlation.py"
