# One page per data set: every figure and table with its words


def report_configuration(dataset):
    """What config.yaml says about one data set, with the sections that it names and its own experiments laid over the study's."""
    section, bases = dataset_section(dataset), [dataset]
    while isinstance(study.datasets[bases[-1]], Derived):
        bases.append(study.datasets[bases[-1]].base)
    below = ("ensemble", "experiments", "obtain")  # the first two come resolved, the last is advice
    experiments = study.experiments_of(dataset)
    landscape = {getattr(experiments, name).recipe for name in landscape_figures(dataset)}
    recipes = {*plain(section.recipes).values(), *landscape}
    return {
        "seed": study.seed,
        "datasets": {name: {k: v for k, v in plain(study.datasets[name]).items() if k not in below} for name in bases},
        "recipes": {name: plain(values) for name, values in study.recipes.items() if name in recipes},
        "swav": {section.swav: swav_settings(dataset)} if study.has_features(dataset) else {},
        "ensemble": plain(study.ensemble_of(dataset)),
        "metrics": report_metrics(dataset),
        "experiments": plain(experiments),
    }


def report_metrics(dataset):
    return {metric: score_settings(metric) for metric in study.metrics_of(dataset)}


def report_sources(dataset):
    """The files that figures come from: a page too many costs a second."""
    return [
        *(*alone_files(dataset), *score_files(dataset), *threshold_votes(dataset)),
        *(path for sweeps in told_sweeps(dataset).values() for path in sweeps.values()),
        *([f"results/{dataset}/clusters/{elbow_features()}-elbow.h5"] if study.has_features(dataset) else []),
        *(noise_kind_files(dataset) if study.experiments_of(dataset).label_noise.kinds else []),
        *(attack_files(dataset).values() if robustness_on(dataset) else []),
    ]


def report_upstream(wildcards):
    """What most figures come from: they have no step of their own, and Snakemake compares them by content besides."""
    twin = study.experiments_of(wildcards.dataset).label_noise.noisy
    files = [path for dataset in filter(None, (wildcards.dataset, twin)) for path in report_sources(dataset)]
    scripts = sorted(path.stem for path in Path(f"{PROJECT}/workflow/scripts").glob("*.py"))
    return fingerprint.value(upstream_of(wildcards, input=files), [code(script) for script in scripts])


# what the page looks like is no Python
REPORT_PARTS = ("template.html.j2", "style.css", "sort.js")
REPORT_LOOK = fingerprint.value([Path(f"{PROJECT}/pipeline_lib/report/{part}").read_text() for part in REPORT_PARTS])


rule report:
    input:
        unpack(own_dataset),
        dynamics="results/{dataset}/dynamics/seed0.h5",
        figures=lambda w: [f"results/{w.dataset}/{name}.png" for name in report_figures(w.dataset)],
        figure_tables=lambda w: [f"results/{w.dataset}/{name}.csv" for name in report_figures(w.dataset)],
        tables=lambda w: [f"results/{w.dataset}/{name}.csv" for name in report_tables(w.dataset)],
    output:
        "results/{dataset}/report.html",
    log:
        "results/{dataset}/logs/report.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        figures=lambda w: report_figures(w.dataset),
        tables=lambda w: report_tables(w.dataset),
        metrics=lambda w: report_metrics(w.dataset),
        settings=lambda w: report_configuration(w.dataset),
        look=REPORT_LOOK,
        code=code("report", *map(metric_module, study.metrics)),
        upstream=report_upstream,
        origins=lambda w, input: origins_of(w, [input.dataset, input.dynamics]),  # the others carry none
    message:
        "Write the report of {wildcards.dataset}"
    script:
        "../scripts/report.py"
