"""Draw the easiest, the hardest and the likely mislabelled examples of one metric."""

import numpy as np

from pipeline_lib import scores, storage
from pipeline_lib.analyse.belief import read_beliefs
from pipeline_lib.analyse.examples import choose
from pipeline_lib.data.dataset import read
from pipeline_lib.draw import examples, style
from pipeline_lib.job import job
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins):
    params, metric = snakemake.params, snakemake.wildcards.metric
    dataset, fingerprint = read(snakemake.input.dataset)
    score = scores.read(snakemake.input.scores, fingerprint, len(dataset.train_labels))
    believed = read_beliefs(snakemake.input.belief, len(score))
    flag = believed["likely_mislabelled"].to_numpy()
    table = choose(score, flag, params.each, generator(params.study_seed, "examples", metric))
    index, names = table["index"], np.array(dataset.class_names)
    table.insert(2, "file", np.array(dataset.source_id)[index])
    table.insert(3, "label", names[dataset.train_labels[index]])
    table["belief"] = names[believed["belief"].to_numpy()[index]]
    table["belief_probability"] = believed["belief_probability"].to_numpy()[index]
    table["likely_mislabelled"] = flag[index]
    figure = examples.draw(table, dataset.train_images, params.each, int(flag.sum()), snakemake.wildcards.dataset, metric)
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
