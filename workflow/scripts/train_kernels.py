"""Train one network and measure how fast the tangent kernels of groups of neighbours turn."""

import time

import numpy as np

from pipeline_lib import fingerprint, resume, scores, storage
from pipeline_lib.config import CHECKPOINT_SECONDS, Recipe, plain
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn import speed
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.kernel import turn
from pipeline_lib.learn.precision import settled
from pipeline_lib.prune.groups import neighbours
from pipeline_lib.prune.select import difficulty_order
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, output, seed = snakemake.params, snakemake.output[0], int(snakemake.wildcards.seed)
    settings, device = params.settings, devices.choose(snakemake.config.get("device", "auto"))
    begin = time.perf_counter()
    dataset, images = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    score = scores.read(snakemake.input.scores, images, len(dataset.train_labels))
    recipe = settled(Recipe.model_validate(params.recipe), dataset, device)
    identity = fingerprint.value(images, params.origin, params.upstream, plain(recipe), params.code, device.type)
    if not resume.take_back(output, identity):
        order = difficulty_order(score, generator(params.study_seed, "kernel_velocity", settings["metric"]))
        groups = [neighbours(order, settings["examples"], place) for place in settings["groups"]]
        checkpoint = resume.Checkpoint(output, identity, snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS))
        seeds = Seeds(params.study_seed, "kernel velocity", seed)
        peak = speed.peak(device, recipe.precision)
        turned = turn(Data(dataset, recipe, device), recipe, seeds, settings["epochs"], groups, checkpoint)
        turned.trained.speed.io_seconds += reading
        attrs = {
            "dataset": images,
            "origin": params.origin,
            "identity": identity,
            "settings": settings,
            "recipe": plain(recipe),
            "seed": seed,
            "study_seed": params.study_seed,
            "code": params.code,
            "device": devices.name(device),
            "seconds": turned.trained.seconds,
            "kernel_seconds": turned.seconds,
            **turned.trained.speed.record(peak),
        }
        arrays = {"velocity": turned.velocity, "epochs": np.array(settings["epochs"]), "groups": np.stack(groups)}
        begin = time.perf_counter()
        storage.write_h5(output, arrays, attrs)
        resume.keep(output)
        checkpoint.remove()
        turned.trained.speed.io_seconds += time.perf_counter() - begin
        log.result = turned.trained.speed.words(peak)
