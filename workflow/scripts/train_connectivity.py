"""Let pairs of networks part from one training at several epochs, and look along the line between their ends."""

import time

import numpy as np

from pipeline_lib import scores
from pipeline_lib.config import CHECKPOINT_SECONDS, Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn.connect import connect
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.outcome import Outcome
from pipeline_lib.learn.precision import settled
from pipeline_lib.prune.groups import THIRDS, neighbours
from pipeline_lib.prune.select import difficulty_order
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, pair = snakemake.params, int(snakemake.wildcards.pair)
    settings, device = params.settings, devices.choose(snakemake.config.get("device", "auto"))
    begin = time.perf_counter()
    dataset, images = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    score = scores.read(snakemake.input.scores, images, len(dataset.train_labels))
    recipe = settled(Recipe.model_validate(params.recipe), dataset, device)
    age = snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS)
    outcome = Outcome(snakemake.output[0], recipe, device, images, params, depends=[params.origin], age=age)
    if not outcome.there:
        order = difficulty_order(score, generator(params.study_seed, "connectivity", settings["metric"]))
        groups = [neighbours(order, settings["examples"], place) for place in THIRDS.values()]
        seeds = Seeds(params.study_seed, "connectivity", pair)
        data = Data(dataset, recipe, device)
        lines = connect(data, recipe, seeds, settings["epochs"], groups, settings["points"], outcome.checkpoint)
        attrs = {
            "settings": settings,
            "pair": pair,
            "seconds": lines.seconds,
            "line_flops": lines.line_flops,
        }
        arrays = {"loss": lines.loss, "error": lines.error, "epochs": np.array(settings["epochs"]), "groups": np.stack(groups)}
        words = outcome.write(arrays, attrs, lines.speed, reading)
        log.result = f"{lines.seconds:.1f} s; {words}"
