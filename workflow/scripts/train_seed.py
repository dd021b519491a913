"""Train one ensemble member, or one network with threshold examples, and record its dynamics."""

import time

from pipeline_lib.config import CHECKPOINT_SECONDS, GrandFull, Recipe
from pipeline_lib.data import threshold
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.outcome import Outcome
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.record import record

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, seed = snakemake.params, int(snakemake.wildcards.seed)
    device = devices.choose(snakemake.config.get("device", "auto"))
    begin = time.perf_counter()
    dataset, images = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    if params.purpose == "threshold":
        chosen = threshold.members(len(dataset.train_labels), dataset.classes, seed, params.study_seed)
        dataset = threshold.with_threshold_class(dataset, chosen)
        if params.caveat:
            log.warning("%s", params.caveat)
    recipe = settled(Recipe.model_validate(params.recipe), dataset, device)
    age = snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS)
    outcome = Outcome(
        snakemake.output[0], recipe, device, images, params, depends=[params.grand_full, params.purpose, seed], age=age
    )
    if not outcome.there:
        full = GrandFull.model_validate(params.grand_full) if params.grand_full else None
        seeds = Seeds(params.study_seed, params.purpose, seed)
        recorded = record(Data(dataset, recipe, device), recipe, seeds, outcome.checkpoint, full)
        trained = recorded.trained
        pass_flops = trained.forward_flops * len(dataset.train_labels)
        attrs = {
            "seed": seed,
            "seconds": trained.seconds,
            "recording_seconds": recorded.seconds,
            "recording_flops": pass_flops * (recipe.epochs + 1),
            "grand_full_seconds": recorded.full_seconds,
            "grand_full_flops": 3 * pass_flops * len(full.epochs if full else []),  # a pass with gradients counts as three
        }
        arrays = recorded.arrays | ({"fitted_labels": dataset.train_labels} if params.purpose == "threshold" else {})
        words = outcome.write(arrays | recorded.curves, attrs, trained.speed, reading)
        accuracy = recorded.curves["test_accuracy"][-1]
        log.info("test accuracy %.4f on %s, in %s", accuracy, devices.name(device), recipe.precision)
        log.result = words
