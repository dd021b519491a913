"""Train SwAV on the training images and write its features."""

import math
import time

from pipeline_lib.config import CHECKPOINT_SECONDS, Swav
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn.outcome import Outcome
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.swav import train_swav

with job(snakemake.log[0], snakemake.params.origins) as log:
    params = snakemake.params
    device = devices.choose(snakemake.config.get("device", "auto"), params.settings["threads"])
    begin = time.perf_counter()
    dataset, images = read(snakemake.input.dataset)
    reading = time.perf_counter() - begin
    settings = settled(Swav.model_validate(params.settings), dataset, device)
    age = snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS)
    outcome = Outcome(snakemake.output[0], settings, device, images, params, depends=[], age=age)
    if not outcome.there:
        swav = train_swav(dataset, settings, params.study_seed, device, outcome.checkpoint)
        attrs = {
            "seconds": swav.seconds,
            "recording_seconds": swav.feature_seconds,
            "recording_flops": swav.feature_flops,
            "ln_k": math.log(settings.prototypes),
        }
        arrays = {
            "features": swav.features,
            "prototypes": swav.prototypes,
            "loss": swav.loss,
            "knn_epochs": swav.knn_epochs,
            "knn_accuracy": swav.knn_accuracy,
        }
        log.result = outcome.write(arrays, attrs, swav.speed, reading)
