# The networks of prune_easiest under attack. They are kept in the run store because this asks for them; an attack reads them
# there, so that another epsilon trains nothing, and trains what the store does not have, so that deleting it is always safe.

ATTACKED_EXAMPLES = 6  # test images before and after (chosen: what one figure can hold)


def robustness_on(dataset):
    return study.experiments_of(dataset).robustness is not None


OPTIONAL_FIGURES.append(lambda dataset: ["robustness", "attacked"] if robustness_on(dataset) else [])


def attacks_of(dataset):
    """The attacks of a data set: name -> settings and the bounds to try."""
    experiment_settings(dataset, "robustness")  # says so if there is no such data set, or the experiment is off
    section, shape = study.experiments_of(dataset).robustness, shape_of(dataset)
    if shape:
        with refused_in_words():
            section.check_lengths(f"datasets.{dataset}.experiments.robustness", math.prod(shape))
    unused = {"epsilons"}
    return {
        name: [{k: v for k, v in plain(attack).items() if k not in unused}, section.epsilons_of(name)]
        for name, attack in section.attacks.items()
    }


def attacked_settings(dataset, metric):
    """The section of prune_easiest, of which only some shares and seeds are attacked."""
    asked = experiment_settings(dataset, "robustness")
    if metric == REPEATED:
        raise WorkflowError(
            f"networks of {dataset} trained by {metric} are not attacked; attacked are {one_of(BASELINES)} and metrics"
        )
    settings = sweep_settings(dataset, "prune_easiest", metric)
    return {key: asked.get(key, value) for key, value in settings.items()}


def attacked_metrics(dataset):
    experiment_settings(dataset, "robustness")
    return [*study.attacked_metrics(dataset), *BASELINES]


def attack_files(dataset):
    """The tables of the attacks: metric or baseline -> file."""
    check_sizes(dataset, "prune_easiest")
    return {metric: f"results/{dataset}/attacks/{metric}.csv" for metric in attacked_metrics(dataset)}


def attack_step(dataset, metric):
    settings = [study.seed, attacked_settings(dataset, metric), recipe(dataset, "training"), attacks_of(dataset)]
    return step(settings, code("attack"), [dataset_file(dataset), *choice_files(dataset, "prune_easiest", metric)])


STEPS[re.compile(rf"results/(?P<dataset>{NAME})/attacks/(?P<metric>{NAME})\.csv")] = attack_step


@functools.cache
def attack_demand(dataset, metric):
    values, settings = recipe(dataset, "training"), attacked_settings(dataset, metric)
    return demand.attacking(study.cluster, size_of(dataset), values, DEVICE, metric, settings, attacks_of(dataset))


def attack_memory(wildcards, attempt):
    return attack_demand(wildcards.dataset, wildcards.metric).memory(attempt)


def attack_minutes(wildcards, attempt):
    return attack_demand(wildcards.dataset, wildcards.metric).minutes(attempt)


rule attack:
    input:
        unpack(own_dataset),
        unpack(lambda w: chosen_by(w.dataset, "prune_easiest", w.metric)),
    output:
        "results/{dataset}/attacks/{metric}.csv",
    log:
        "results/{dataset}/logs/attack/{metric}.log",
    # before the sweeps, which then find its trainings in the run store; theirs would lack the networks, and be done again here
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        gpu=gpu_wanted,
        mem_mb=attack_memory,
        runtime=attack_minutes,
    params:
        settings=lambda w: attacked_settings(w.dataset, w.metric),
        attacks=lambda w: attacks_of(w.dataset),
        recipe=lambda w: recipe(w.dataset, "training"),
        study_seed=study.seed,
        runs=lambda w: f"results/{w.dataset}/runs",
        training_code=TRAINING_CODE,
        code=code("attack"),
        upstream=upstream_of,
        origin=own_origin,
        origins=origins_of,
    message:
        "Attack the networks that prune_easiest of {wildcards.dataset} trains by {wildcards.metric}"
    script:
        "../scripts/attack.py"


rule draw_robustness:
    input:
        lambda w: attack_files(w.dataset).values(),
    output:
        table="results/{dataset}/robustness.csv",
        figure="results/{dataset}/robustness.png",
    log:
        "results/{dataset}/logs/draw_robustness.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=light_memory,
        runtime=light_minutes,
    params:
        tables=lambda w: attack_files(w.dataset),
        attacks=lambda w: attacks_of(w.dataset),
        code=code("draw_robustness"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw robustness of {wildcards.dataset}"
    script:
        "../scripts/draw_robustness.py"


# its network is that of the first training on all data, which the attack on these has left in the run store
rule draw_attacked:
    input:
        unpack(own_dataset),
        attacks="results/{dataset}/attacks/full.csv",
    output:
        table="results/{dataset}/attacked.csv",
        figure="results/{dataset}/attacked.png",
    log:
        "results/{dataset}/logs/draw_attacked.log",
    conda:
        ENVIRONMENT
    resources:
        gpu=gpu_wanted,
        mem_mb=lambda w, attempt: attack_demand(w.dataset, "full").memory(attempt),
        runtime=lambda w, attempt: attack_demand(w.dataset, "full").minutes(attempt),
    params:
        attacks=lambda w: attacks_of(w.dataset),
        recipe=lambda w: recipe(w.dataset, "training"),
        examples=ATTACKED_EXAMPLES,
        study_seed=study.seed,
        runs=lambda w: f"results/{w.dataset}/runs",
        training_code=TRAINING_CODE,
        code=code("draw_attacked"),
        upstream=upstream_of,
        origins=origins_of,
    message:
        "Draw test images of {wildcards.dataset} before and after an attack"
    script:
        "../scripts/draw_attacked.py"
