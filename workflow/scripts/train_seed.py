"""Train one ensemble member, or one network with threshold examples, and record its dynamics."""

import time

from pipeline_lib import fingerprint, resume
from pipeline_lib.config import CHECKPOINT_SECONDS, GrandFull, Recipe, plain
from pipeline_lib.data import threshold
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn import speed
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.record import record, write

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, output, seed = snakemake.params, snakemake.output[0], int(snakemake.wildcards.seed)
    device = devices.choose(snakemake.config.get("device", "auto"))
    begin = time.perf_counter()
    dataset, images = read(snakemake.input[0])
    reading = time.perf_counter() - begin
    if params.purpose == "threshold":
        chosen = threshold.members(len(dataset.train_labels), dataset.classes, seed, params.study_seed)
        dataset = threshold.with_threshold_class(dataset, chosen)
        if params.caveat:
            log.warning("%s", params.caveat)
    recipe = settled(Recipe.model_validate(params.recipe), dataset, device)
    settings = [plain(recipe), params.grand_full, params.study_seed, params.purpose, seed]
    identity = fingerprint.value(images, params.upstream, settings, params.code, device.type)
    if not resume.take_back(output, identity):
        checkpoint = resume.Checkpoint(output, identity, snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS))
        peak = speed.peak(device, recipe.precision)
        full = GrandFull.model_validate(params.grand_full) if params.grand_full else None
        seeds = Seeds(params.study_seed, params.purpose, seed)
        recorded = record(Data(dataset, recipe, device), recipe, seeds, checkpoint, full)
        trained = recorded.trained
        trained.speed.io_seconds += reading
        pass_flops = trained.forward_flops * len(dataset.train_labels)
        attrs = {
            "dataset": images,
            "origin": params.origin,
            "identity": identity,
            "recipe": plain(recipe),
            "seed": seed,
            "study_seed": params.study_seed,
            "code": params.code,
            "device": devices.name(device),
            "seconds": trained.seconds,
            "recording_seconds": recorded.seconds,
            "recording_flops": pass_flops * (recipe.epochs + 1),
            "grand_full_seconds": recorded.full_seconds,
            "grand_full_flops": 3 * pass_flops * len(full.epochs if full else []),  # a pass with gradients counts as three
            **trained.speed.record(peak),
        }
        begin = time.perf_counter()
        arrays = recorded.arrays | ({"fitted_labels": dataset.train_labels} if params.purpose == "threshold" else {})
        write(output, arrays, recorded.curves, attrs)
        resume.keep(output)
        checkpoint.remove()
        trained.speed.io_seconds += time.perf_counter() - begin
        accuracy = recorded.curves["test_accuracy"][-1]
        log.info("test accuracy %.4f on %s, in %s", accuracy, attrs["device"], recipe.precision)
        log.result = trained.speed.words(peak)
