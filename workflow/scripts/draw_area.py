"""Compute the area under every pruning curve and draw it."""

from pipeline_lib import storage
from pipeline_lib.analyse.area import areas, sentence
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.draw import area, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log:
    table = areas(read_sweeps(snakemake.params.sweeps))
    style.save(area.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
    log.info("%s", sentence(table))
