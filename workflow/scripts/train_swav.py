"""Train SwAV on the training images and write its features."""

import math
import time

from pipeline_lib import fingerprint, resume, storage
from pipeline_lib.config import CHECKPOINT_SECONDS, Swav
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn import speed
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.swav import train_swav

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, output = snakemake.params, snakemake.output[0]
    device = devices.choose(snakemake.config.get("device", "auto"), params.settings["threads"])
    begin = time.perf_counter()
    dataset, images = read(snakemake.input[0])
    reading = time.perf_counter() - begin
    settings = settled(Swav.model_validate(params.settings), dataset, device)
    told = params.settings | {"precision": settings.precision}
    identity = fingerprint.value(images, params.upstream, told, params.study_seed, params.code, device.type)
    if not resume.take_back(output, identity):
        checkpoint = resume.Checkpoint(output, identity, snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS))
        peak = speed.peak(device, settings.precision)
        swav = train_swav(dataset, settings, params.study_seed, device, checkpoint)
        swav.speed.io_seconds += reading
        attrs = {
            "dataset": images,
            "origin": params.origin,
            "identity": identity,
            "settings": told,
            "study_seed": params.study_seed,
            "code": params.code,
            "device": devices.name(device),
            "seconds": swav.seconds,
            "recording_seconds": swav.feature_seconds,
            "recording_flops": swav.feature_flops,
            **swav.speed.record(peak),
            "ln_k": math.log(settings.prototypes),
        }
        arrays = {
            "features": swav.features,
            "prototypes": swav.prototypes,
            "loss": swav.loss,
            "knn_epochs": swav.knn_epochs,
            "knn_accuracy": swav.knn_accuracy,
        }
        begin = time.perf_counter()
        storage.write_h5(output, arrays, attrs)
        resume.keep(output)
        checkpoint.remove()
        swav.speed.io_seconds += time.perf_counter() - begin
        log.result = swav.speed.words(peak)
