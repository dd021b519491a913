# Figures that describe a data set and its scores, before anything is pruned


# chosen: what one figure can hold
TSNE_EXAMPLES = 3000
DATA_MAP_EXAMPLES = 5000
EXAMPLES_EACH = 10  # images in a row of examples/{metric}.png
AUGMENTED_EXAMPLES = 8
AUGMENTED_DRAWS = 3


def elbow_features():
    """The features whose elbow is drawn: those of the first km metric."""
    configured = [study.metric_parameters(m)["features"] for m in study.metrics if study.metric_function(m) == "km"]
    return next(iter(configured), "prototypes")


rule draw_distributions:
    input:
        unpack(own_dataset),
        scores=lambda w: score_files(w.dataset),
    output:
        table="results/{dataset}/distributions.csv",
        figure="results/{dataset}/distributions.png",
    log:
        "results/{dataset}/logs/draw_distributions.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        functions=lambda w: {m: study.metric_function(m) for m in study.metrics_of(w.dataset)},
        code=code("draw_distributions"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the distributions of {wildcards.dataset}"
    script:
        "../scripts/draw_distributions.py"


rule draw_tsne:
    input:
        unpack(own_dataset),
        features="results/{dataset}/features/swav.h5",
    output:
        table="results/{dataset}/tsne.csv",
        figure="results/{dataset}/tsne.png",
    log:
        "results/{dataset}/logs/draw_tsne.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        examples=TSNE_EXAMPLES,
        study_seed=study.seed,
        code=code("draw_tsne"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the t-SNE of {wildcards.dataset}"
    script:
        "../scripts/draw_tsne.py"


rule draw_examples:
    input:
        unpack(own_dataset),
        scores="results/{dataset}/scores/{metric}.h5",
        belief="results/{dataset}/belief.csv",
    output:
        table="results/{dataset}/examples/{metric}.csv",
        figure="results/{dataset}/examples/{metric}.png",
    log:
        "results/{dataset}/logs/draw_examples/{metric}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        each=EXAMPLES_EACH,
        study_seed=study.seed,
        code=code("draw_examples"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the examples of {wildcards.dataset} by {wildcards.metric}"
    script:
        "../scripts/draw_examples.py"


rule draw_suspicious:
    input:
        unpack(own_dataset),
        belief="results/{dataset}/belief{split}.csv",
    output:
        table="results/{dataset}/suspicious{split}.csv",
        figure="results/{dataset}/suspicious{split}.png",
    log:
        "results/{dataset}/logs/draw_suspicious{split}.log",
    wildcard_constraints:
        split="(_test)?",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        code=code("draw_suspicious"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the labels of {wildcards.dataset} to look at first ({output.table})"
    script:
        "../scripts/draw_suspicious.py"


rule draw_augmentations:
    input:
        unpack(own_dataset),
    output:
        table="results/{dataset}/augmentations.csv",
        figure="results/{dataset}/augmentations.png",
    log:
        "results/{dataset}/logs/draw_augmentations.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        settings=lambda w: recipe(w.dataset, "training")["augmentation"],
        examples=AUGMENTED_EXAMPLES,
        draws=AUGMENTED_DRAWS,
        study_seed=study.seed,
        code=code("draw_augmentations"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the augmentations of {wildcards.dataset}"
    script:
        "../scripts/draw_augmentations.py"


rule draw_data_map:
    input:
        unpack(own_dataset),
        dynamics=lambda w: ensemble_files(w.dataset),
    output:
        table="results/{dataset}/data_map.csv",
        figure="results/{dataset}/data_map.png",
    log:
        "results/{dataset}/logs/draw_data_map.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        examples=DATA_MAP_EXAMPLES,
        study_seed=study.seed,
        code=code("draw_data_map"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the data map of {wildcards.dataset}"
    script:
        "../scripts/draw_data_map.py"


rule draw_elbow:
    input:
        unpack(own_dataset),
        clusters=f"results/{{dataset}}/clusters/{elbow_features()}-elbow.h5",
    output:
        table="results/{dataset}/elbow.csv",
        figure="results/{dataset}/elbow.png",
    log:
        "results/{dataset}/logs/draw_elbow.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        features=elbow_features(),
        code=code("draw_elbow"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw the elbow of {wildcards.dataset}"
    script:
        "../scripts/draw_elbow.py"
