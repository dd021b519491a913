"""Put every score and rank of every example into one table and flag the labels that are probably wrong."""

from contextlib import ExitStack

from pipeline_lib import dynamics, scores, storage
from pipeline_lib.analyse.ranking import RULE, likely_mislabelled, ranking
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job

with job(snakemake.log[0]) as log, ExitStack() as stack:
    dataset, fingerprint = read(snakemake.input.dataset)
    labels = dataset.train_labels
    ensemble = dynamics.open_source(stack, list(snakemake.input.dynamics), {}, labels, fingerprint)
    flag, suggested = likely_mislabelled(ensemble.mean_probabilities(), labels)
    files = zip(snakemake.params.metrics, snakemake.input.scores, strict=True)
    values = {metric: scores.read(path, fingerprint, len(labels)) for metric, path in files}
    table = ranking(values, labels, dataset.class_names, dataset.source_id, flag, RULE, suggested)
    storage.write_csv(snakemake.output[0], table)
    log.info("%d of %d labels are likely wrong", flag.sum(), len(labels))
