"""Draw a few training images and what the training recipe makes of them."""

import numpy as np

from pipeline_lib import storage
from pipeline_lib.analyse.examples import of_different_classes
from pipeline_lib.config import Augmentation
from pipeline_lib.data.dataset import read
from pipeline_lib.draw import augmentations, style
from pipeline_lib.job import job
from pipeline_lib.learn.preview import preview
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins):
    params, settings = snakemake.params, Augmentation.model_validate(snakemake.params.settings)
    dataset, _ = read(snakemake.input.dataset)
    rng = generator(params.study_seed, "augmentations")
    index = of_different_classes(dataset.train_labels, params.examples, rng)
    images, table = preview(dataset.train_images[index], settings, params.draws, rng)
    table.insert(2, "index", index[table["column"]])
    table.insert(3, "label", np.array(dataset.class_names)[dataset.train_labels[table["index"]]])
    style.save(augmentations.draw(table, images, settings, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
