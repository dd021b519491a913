"""Summarise the sweeps of an experiment and draw them."""

from pipeline_lib import storage
from pipeline_lib.analyse.sweeps import read_cluster_counts, read_sweeps, summarise
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import style, sweeps
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params, experiment = snakemake.params, snakemake.wildcards.experiment
    labels, _, _ = read_labels(snakemake.input.dataset)
    table = summarise(read_sweeps(params.sweeps), len(labels))
    panels = sweeps.variants(table, sweeps.axis(experiment, table))
    names = sweeps.numbered(params.names, read_cluster_counts(params.clusters))
    figure = sweeps.draw(panels, f"{snakemake.wildcards.dataset}: {params.question}", names)
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
