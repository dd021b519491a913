"""Train one network and measure how fast the tangent kernels of groups of neighbours turn."""

import time

import numpy as np

from pipeline_lib import scores
from pipeline_lib.config import CHECKPOINT_SECONDS, Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.kernel import turn
from pipeline_lib.learn.outcome import Outcome
from pipeline_lib.learn.precision import settled
from pipeline_lib.prune.groups import neighbours
from pipeline_lib.prune.select import difficulty_order
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, seed = snakemake.params, int(snakemake.wildcards.seed)
    settings, device = params.settings, devices.choose(snakemake.config.get("device", "auto"))
    begin = time.perf_counter()
    dataset, images = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    score = scores.read(snakemake.input.scores, images, len(dataset.train_labels))
    recipe = settled(Recipe.model_validate(params.recipe), dataset, device)
    age = snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS)
    outcome = Outcome(snakemake.output[0], recipe, device, images, params, depends=[params.origin], age=age)
    if not outcome.there:
        order = difficulty_order(score, generator(params.study_seed, "kernel_velocity", settings["metric"]))
        groups = [neighbours(order, settings["examples"], place) for place in settings["groups"]]
        seeds = Seeds(params.study_seed, "kernel velocity", seed)
        turned = turn(Data(dataset, recipe, device), recipe, seeds, settings["epochs"], groups, outcome.checkpoint)
        attrs = {
            "settings": settings,
            "seed": seed,
            "seconds": turned.trained.seconds,
            "kernel_seconds": turned.seconds,
        }
        arrays = {"velocity": turned.velocity, "epochs": np.array(settings["epochs"]), "groups": np.stack(groups)}
        log.result = outcome.write(arrays, attrs, turned.trained.speed, reading)
