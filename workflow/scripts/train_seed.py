"""Train one ensemble member and record its dynamics."""

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.learn.record import record, write
from pipeline_lib.learn.train import Data

with job(snakemake.log[0]) as log:
    params, seed = snakemake.params, int(snakemake.wildcards.seed)
    device = devices.choose(snakemake.config.get("device", "auto"))
    dataset, fingerprint = read(snakemake.input[0])
    recipe = Recipe.model_validate(params.recipe)
    logits, prediction, curves, trained = record(Data(dataset, recipe, device), recipe, params.study_seed, seed)
    attrs = {
        "dataset": fingerprint,
        "recipe": params.recipe,
        "seed": seed,
        "study_seed": params.study_seed,
        "code": params.code,
        "device": devices.name(device),
        "seconds": trained.seconds,
        "images_per_second": trained.images / trained.seconds,
    }
    write(snakemake.output[0], logits, prediction, curves, attrs)
    accuracy = curves["test_accuracy"][-1]
    log.info("test accuracy %.4f, %.0f images/s on %s", accuracy, attrs["images_per_second"], attrs["device"])
