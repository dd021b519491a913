"""Let pairs of networks part from one training at several epochs, and look along the line between their ends."""

import time

import numpy as np

from pipeline_lib import fingerprint, resume, scores, storage
from pipeline_lib.config import CHECKPOINT_SECONDS, Recipe, plain
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn import speed
from pipeline_lib.learn.connect import connect
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.precision import settled
from pipeline_lib.prune.groups import THIRDS, neighbours
from pipeline_lib.prune.select import difficulty_order
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, output, pair = snakemake.params, snakemake.output[0], int(snakemake.wildcards.pair)
    settings, device = params.settings, devices.choose(snakemake.config.get("device", "auto"))
    begin = time.perf_counter()
    dataset, images = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    score = scores.read(snakemake.input.scores, images, len(dataset.train_labels))
    recipe = settled(Recipe.model_validate(params.recipe), dataset, device)
    identity = fingerprint.value(images, params.origin, params.upstream, plain(recipe), params.code, device.type)
    if not resume.take_back(output, identity):
        order = difficulty_order(score, generator(params.study_seed, "connectivity", settings["metric"]))
        groups = [neighbours(order, settings["examples"], place) for place in THIRDS.values()]
        checkpoint = resume.Checkpoint(output, identity, snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS))
        seeds = Seeds(params.study_seed, "connectivity", pair)
        data, peak = Data(dataset, recipe, device), speed.peak(device, recipe.precision)
        lines = connect(data, recipe, seeds, settings["epochs"], groups, settings["points"], checkpoint)
        lines.speed.io_seconds += reading
        attrs = {
            "dataset": images,
            "origin": params.origin,
            "identity": identity,
            "settings": settings,
            "recipe": plain(recipe),
            "pair": pair,
            "study_seed": params.study_seed,
            "code": params.code,
            "device": devices.name(device),
            "seconds": lines.seconds,
            "line_flops": lines.line_flops,
            **lines.speed.record(peak),
        }
        arrays = {"loss": lines.loss, "error": lines.error, "epochs": np.array(settings["epochs"]), "groups": np.stack(groups)}
        begin = time.perf_counter()
        storage.write_h5(output, arrays, attrs)
        resume.keep(output)
        checkpoint.remove()
        lines.speed.io_seconds += time.perf_counter() - begin
        log.result = f"{lines.seconds:.1f} s; {lines.speed.words(peak)}"
