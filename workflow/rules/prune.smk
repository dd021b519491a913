# Scores -> pruned trainings, through the run store


def sweep_scores(wildcards):
    if wildcards.metric in BASELINES:
        return {}
    return {"scores": f"results/{wildcards.dataset}/scores/{wildcards.metric}.h5"}


rule sweep:
    input:
        unpack(sweep_scores),
        dataset="data/{dataset}/dataset.h5",
    output:
        "results/{dataset}/sweeps/sliding_window/{metric}.csv",
    log:
        "results/{dataset}/logs/sweep/sliding_window/{metric}.log",
    params:
        settings=window_settings(),
        recipe=lambda w: recipe(w.dataset, "training"),
        study_seed=study.seed,
        device=study.device,
        runs=lambda w: f"results/{w.dataset}/runs",
        training_code=fingerprint.code("pipeline_lib.learn.train"),
        code=code("sweep"),
        upstream=lambda w: sweep_upstream(w.dataset, w.metric),
    resources:
        gpu=gpu_wanted,
    script:
        "../scripts/sweep.py"
