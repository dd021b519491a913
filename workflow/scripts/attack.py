"""Attack the networks that prune_easiest trains by one metric (or baseline), and test them."""

import time

from pipeline_lib import scores, storage
from pipeline_lib.config import CHECKPOINT_SECONDS, Attack, Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.prune.attack import attack
from pipeline_lib.prune.plan import plan
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, metric = snakemake.params, snakemake.wildcards.metric
    begin = time.perf_counter()
    dataset, fingerprint = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    files, recipe = snakemake.input.get("scores", []), Recipe.model_validate(params.recipe)
    score = scores.read_together(files, fingerprint, len(dataset.train_labels))
    title = f"robustness of {snakemake.wildcards.dataset} by {metric}"
    planned = plan("prune_easiest", metric, score, params.settings, recipe, dataset, params.study_seed, title)
    device, store = devices.choose(snakemake.config.get("device", "auto")), RunStore(params.runs)
    seconds = snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS)
    trainer = Trainer(dataset, fingerprint, recipe, params.training_code, params.study_seed, device, store, seconds)
    attacks = {name: (Attack.model_validate(values), epsilons) for name, (values, epsilons) in params.attacks.items()}
    table = attack(trainer, planned, attacks, params.study_seed, title)
    storage.write_csv(snakemake.output[0], table, origin=params.origin)
    log.info("%d networks, %d of them trained now, the others from the run store", len(planned), trainer.trained)
    trainer.speed.io_seconds += reading
    log.result = trainer.speed.words(trainer.peak)
