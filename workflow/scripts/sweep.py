"""Train on every subset that an experiment wants of one metric (or baseline), through the run store."""

from pipeline_lib import scores, storage
from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.prune import sliding_window
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer, sweep

with job(snakemake.log[0]) as log:
    params, metric = snakemake.params, snakemake.wildcards.metric
    dataset, fingerprint = read(snakemake.input.dataset)
    files = snakemake.input.get("scores")
    score = scores.read(files, fingerprint, len(dataset.train_labels)) if files else None
    title = f"sliding_window of {snakemake.wildcards.dataset} by {metric}"
    planned = sliding_window.plan(metric, score, params.settings, dataset, params.study_seed, title)
    recipe, device = Recipe.model_validate(params.recipe), devices.choose(snakemake.config.get("device", "auto"))
    store = RunStore(params.runs)
    trainer = Trainer(dataset, fingerprint, recipe, params.training_code, params.study_seed, device, store)
    table = sweep(trainer, planned, dataset.class_names, f"window {metric}")
    storage.write_csv(snakemake.output[0], table)
    log.info("%d runs, %d of them trained now, the others from the run store", len(table), trainer.trained)
