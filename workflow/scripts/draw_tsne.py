"""Lay the SwAV features out in the plane and draw them."""

import numpy as np

from pipeline_lib import storage
from pipeline_lib.analyse.tsne import embed
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import style, tsne
from pipeline_lib.features import read_features
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    labels, class_names, fingerprint = read_labels(snakemake.input.dataset)
    features = read_features(snakemake.input.features, "backbone", fingerprint, len(labels))
    table = embed(features, params.examples, params.study_seed)
    table["label"] = np.array(class_names)[labels[table["index"]]]
    style.save(tsne.draw(table, class_names, snakemake.wildcards.dataset, len(labels)), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
