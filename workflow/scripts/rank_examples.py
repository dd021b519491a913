"""Put every score and rank of every example into one table, and which labels are probably wrong."""

import numpy as np

from pipeline_lib import scores, storage
from pipeline_lib.analyse.belief import read_beliefs
from pipeline_lib.analyse.ranking import RULE, below_cut_off, cautions, ranking
from pipeline_lib.analyse.threshold import read_votes
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log:
    dataset, fingerprint = read(snakemake.input.dataset)
    labels, names = dataset.train_labels, np.array(dataset.class_names, dtype=object)
    believed = read_beliefs(snakemake.input.belief, len(labels))
    files = zip(snakemake.params.metrics, snakemake.input.scores, strict=True)
    values = {metric: scores.read(path, fingerprint, len(labels)) for metric, path in files}
    flag, suggested = believed["likely_mislabelled"].to_numpy(), believed["suggested"].to_numpy()
    table = ranking(values, labels, dataset.class_names, dataset.source_id, flag, RULE, suggested)
    for path in snakemake.input.votes:
        votes, percentile = read_votes(path, len(labels)), snakemake.params.threshold["percentile"]
        table = below_cut_off(table, votes, percentile, names[believed["other"]])
    table.insert(table.columns.get_loc("label") + 1, "belief", names[believed["belief"]])
    if dataset.true_labels is not None:
        table.insert(table.columns.get_loc("label") + 1, "true_label", names[dataset.true_labels])
    storage.write_csv(snakemake.output[0], table)
    for sentence in cautions(table):
        log.warning("%s", sentence)
