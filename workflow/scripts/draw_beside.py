"""Summarise two sets of sweeps and draw them side by side on one scale."""

import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.sweeps import read_sweeps, summarise
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import style, sweeps
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    labels, _, _ = read_labels(snakemake.input.dataset)
    panels, tables = [], []
    for side in params.sides:
        table = summarise(read_sweeps(side["sweeps"]), len(labels))
        panels += sweeps.variants(table, sweeps.axis(side["experiment"], table), side["title"])
        tables.append(table.assign(**{params.column: side["title"]}))
    figure = sweeps.draw(panels, f"{snakemake.wildcards.dataset}: {params.question}")
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, pd.concat(tables))
