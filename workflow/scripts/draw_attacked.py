"""Draw a few test images before and after the attacks, with what a network trained on all data sees in them."""

import numpy as np

from pipeline_lib import storage
from pipeline_lib.analyse.examples import of_different_classes
from pipeline_lib.config import Attack, Recipe
from pipeline_lib.data.dataset import read
from pipeline_lib.draw import attacked as drawing
from pipeline_lib.draw import style
from pipeline_lib.job import job
from pipeline_lib.learn import device as devices
from pipeline_lib.prune.attack import show
from pipeline_lib.prune.plan import NO_POINT, Planned
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    dataset, fingerprint = read(snakemake.input.dataset)
    recipe, device = Recipe.model_validate(params.recipe), devices.choose(snakemake.config.get("device", "auto"))
    code, seed, store = params.training_code, params.study_seed, RunStore(params.runs)
    trainer = Trainer(dataset, fingerprint, recipe, code, seed, device, store)
    index = of_different_classes(dataset.test_labels, params.examples, generator(seed, "attacked"))
    attacks = {name: (Attack.model_validate(values), max(epsilons)) for name, (values, epsilons) in params.attacks.items()}
    planned = Planned(NO_POINT, 0, np.arange(len(dataset.train_labels)))
    images, table = show(trainer, planned, attacks, index, seed)
    for column in ("label", "prediction"):
        table[column] = np.array(dataset.class_names)[table[column]]
    settings = {name: values for name, (values, _) in params.attacks.items()}
    style.save(drawing.draw(table, images, settings, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
