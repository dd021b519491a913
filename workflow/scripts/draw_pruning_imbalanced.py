"""Tell what pruning leaves of each class, with class quotas and without, and draw it."""

from pipeline_lib import storage
from pipeline_lib.analyse.classes import starved
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.draw import pruning_imbalanced, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    table = starved(read_sweeps(snakemake.params.sweeps))
    figure = pruning_imbalanced.draw(table, snakemake.wildcards.dataset, snakemake.params.share)
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
