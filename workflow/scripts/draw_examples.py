"""Draw the easiest, the hardest and the likely mislabelled examples of one metric."""

from contextlib import ExitStack

import numpy as np

from pipeline_lib import scores, storage
from pipeline_lib.analyse.examples import choose
from pipeline_lib.analyse.ranking import likely_mislabelled
from pipeline_lib.data.dataset import read
from pipeline_lib.draw import examples, style
from pipeline_lib.dynamics import open_source
from pipeline_lib.job import job
from pipeline_lib.rng import generator

with job(snakemake.log[0]) as log, ExitStack() as stack:
    params, metric = snakemake.params, snakemake.wildcards.metric
    dataset, fingerprint = read(snakemake.input.dataset)
    score = scores.read(snakemake.input.scores, fingerprint, len(dataset.train_labels))
    dynamics = open_source(stack, snakemake.input.dynamics, {}, dataset.train_labels, fingerprint)
    flag, _ = likely_mislabelled(dynamics.mean_probabilities(), dataset.train_labels)
    table = choose(score, flag, params.each, generator(params.study_seed, "examples", metric))
    index, names = table["index"], np.array(dataset.class_names)
    table.insert(2, "file", np.array(dataset.source_id)[index])
    table.insert(3, "label", names[dataset.train_labels[index]])
    belief = dynamics.mean_probabilities([dynamics.epochs - 1])[index]
    table["belief"], table["belief_probability"] = names[belief.argmax(axis=1)], belief.max(axis=1)
    figure = examples.draw(table, dataset.train_images, params.each, int(flag.sum()), snakemake.wildcards.dataset, metric)
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
    log.info("%d of %d examples are likely mislabelled", flag.sum(), len(flag))
