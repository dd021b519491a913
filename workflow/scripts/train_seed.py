"""Train one ensemble member and record its dynamics."""

from pipeline_lib import fingerprint, resume
from pipeline_lib.config import CHECKPOINT_SECONDS, Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.record import record, write

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, output, seed = snakemake.params, snakemake.output[0], int(snakemake.wildcards.seed)
    device = devices.choose(snakemake.config.get("device", "auto"))
    dataset, images = read(snakemake.input[0])
    identity = fingerprint.value(images, params.upstream, params.recipe, params.study_seed, params.code, seed, device.type)
    if not resume.take_back(output, identity):
        recipe = Recipe.model_validate(params.recipe)
        checkpoint = resume.Checkpoint(output, identity, snakemake.config.get("checkpoint_seconds", CHECKPOINT_SECONDS))
        recorded = record(Data(dataset, recipe, device), recipe, Seeds(params.study_seed, "scoring", seed), checkpoint)
        attrs = {
            "dataset": images,
            "origin": params.origin,
            "identity": identity,
            "recipe": params.recipe,
            "seed": seed,
            "study_seed": params.study_seed,
            "code": params.code,
            "device": devices.name(device),
            "seconds": recorded.trained.seconds,
            "recording_seconds": recorded.seconds,
            "flops": recorded.trained.flops,
            "recording_flops": recorded.trained.forward_flops * len(dataset.train_labels) * (recipe.epochs + 1),
            "images_per_second": recorded.trained.images / recorded.trained.seconds,
        }
        write(output, recorded.arrays, recorded.curves, attrs)
        resume.keep(output)
        checkpoint.remove()
        accuracy = recorded.curves["test_accuracy"][-1]
        log.info("test accuracy %.4f, %.0f images/s on %s", accuracy, attrs["images_per_second"], attrs["device"])
