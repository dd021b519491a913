"""Summarise the test accuracy after every epoch and draw it."""

from pipeline_lib import storage
from pipeline_lib.analyse.sweeps import curves, read_sweeps
from pipeline_lib.draw import curves as drawing
from pipeline_lib.draw import style
from pipeline_lib.job import job

with job(snakemake.log[0]):
    params = snakemake.params
    table = curves(read_sweeps(params.sweeps))
    figure = drawing.draw(drawing.panels(table), f"{snakemake.wildcards.dataset}: {params.question}")
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
