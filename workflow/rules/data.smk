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


def data_step(dataset):
    section = dataset_section(dataset)
    settings = [study.seed, source_settings(dataset), source_stamp(dataset)]
    base = [dataset_file(section.base)] if isinstance(section, Derived) else []
    return step(settings, data_code(dataset), base)


def data_code(dataset):
    return code("prepare_dataset", f"pipeline_lib.data.{source_kind(dataset)}")


STEPS |= {
    re.compile(rf"data/(?P<dataset>{NAME})/(dataset\.h5|classes\.csv)"): data_step,
}


rule prepare_dataset:
    input:
        unpack(source_inputs),
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
