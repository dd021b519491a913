"""Compare what makes up for unequal classes and draw it."""

import numpy as np

from pipeline_lib import storage
from pipeline_lib.analyse.imbalance import compare
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import imbalance, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    labels, names, _ = read_labels(snakemake.input.dataset)
    table = compare(read_sweeps(snakemake.params.sweeps), names)
    counts = dict(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))
    question = "what makes up for unequal classes? Test accuracy after training on all data"
    figure = imbalance.draw(table, counts, f"{snakemake.wildcards.dataset}: {question}")
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
