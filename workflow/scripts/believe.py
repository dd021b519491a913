"""Average what the ensemble believes of every example, and flag the labels that it doubts."""

from contextlib import ExitStack

import numpy as np

from pipeline_lib import dynamics, storage
from pipeline_lib.analyse.belief import beliefs_of
from pipeline_lib.analyse.ranking import cautions
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log, ExitStack() as stack:
    labels, names, fingerprint = read_labels(snakemake.input.dataset)
    ensemble = dynamics.open_source(stack, list(snakemake.input.dynamics), {}, labels, fingerprint)
    table, names = beliefs_of(ensemble), np.array(names, dtype=object)
    storage.write_csv(snakemake.output.train, table, origin=snakemake.params.origin)
    log.info("%d of %d labels are likely wrong", table["likely_mislabelled"].sum(), len(table))
    for sentence in cautions(table.assign(label=names[labels], belief=names[table["belief"]])):
        log.warning("%s", sentence)
    tested, _, _ = read_labels(snakemake.input.dataset, "test")
    unseen = beliefs_of(ensemble.of_test_images(tested))
    storage.write_csv(snakemake.output.test, unseen, origin=snakemake.params.origin)
    log.info(
        "of the test images, which no network has seen, %d of %d labels are doubted as clearly: wrong ones, and hard images",
        *(unseen["likely_mislabelled"].sum(), len(unseen)),
    )
