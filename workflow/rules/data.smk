# Sources of images -> data/{dataset}/dataset.h5


rule download_archive:
    output:
        "data/archives/{source}.tar.gz",
    log:
        "data/archives/{source}.log",
    wildcard_constraints:
        source="cifar10|cifar100",
    localrule: True
    conda:
        ENVIRONMENT
    message:
        "Download the official archive of {wildcards.source}"
    script:
        "../scripts/download_archive.py"


rule prepare_dataset:
    input:
        unpack(dataset_inputs),
    output:
        dataset="data/{dataset}/dataset.h5",
        classes="data/{dataset}/classes.csv",
    log:
        "data/{dataset}/prepare_dataset.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        kind=lambda w: source_kind(w.dataset),
        settings=lambda w: source_settings(w.dataset),
        source=lambda w: source_stamp(w.dataset),
        seed=study.seed,
        code=lambda w: data_code(w.dataset),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Prepare the data set {wildcards.dataset}"
    script:
        "../scripts/prepare_dataset.py"
