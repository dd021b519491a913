"""Summarise and draw the trainings without the doubted labels."""

from pipeline_lib import storage
from pipeline_lib.analyse.relabel import summarise
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.draw import relabel, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    table = summarise(read_sweeps(snakemake.params.sweeps))
    style.save(relabel.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
