"""Train on every subset that an experiment wants of one metric (or baseline), through the run store."""

import time

from pipeline_lib import forkserver, scores, storage
from pipeline_lib.config import CHECKPOINT_SECONDS, Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.prune import flags
from pipeline_lib.prune.plan import WITH_CURVE, plan
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer, assist, sweep
from pipeline_lib.prune.vary import vary

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, experiment, metric = snakemake.params, snakemake.wildcards.experiment, snakemake.wildcards.metric
    begin = time.perf_counter()
    dataset, fingerprint = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    files, recipe = snakemake.input.get("scores", []), Recipe.model_validate(params.recipe)
    score = scores.read_together(files, fingerprint, len(dataset.train_labels))
    title = f"{experiment} of {snakemake.wildcards.dataset} by {metric}"
    if experiment == "relabel" and metric != "full":
        score = flags.read(metric, snakemake.input.get("flags"), dataset, title).astype(float)
    if params.variants:
        planned = vary(params.variants, params.settings, dataset, params.study_seed, title)
    else:
        planned = plan(experiment, metric, score, params.settings, recipe, dataset, params.study_seed, title)
    device, store = devices.choose(snakemake.config.get("device", "auto")), RunStore(params.runs)
    seconds = snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS)
    trainer = Trainer(dataset, fingerprint, recipe, params.training_code, params.study_seed, device, store, seconds)
    work = trainer, planned, title, experiment in WITH_CURVE
    if forkserver.helping():
        assist(*work)
    else:
        with forkserver.helped():
            table = sweep(*work)
        storage.write_csv(snakemake.output[0], table, origin=params.origin)
        log.info("%d runs, %d of them trained now by this process, the others from the run store", len(table), trainer.trained)
        trainer.speed.io_seconds += reading
        log.result = trainer.speed.words(trainer.peak)
