"""Summarise the attacks and draw them."""

from pipeline_lib import storage
from pipeline_lib.analyse.robustness import read_attacks, summarise
from pipeline_lib.draw import robustness, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    table = summarise(read_attacks(params.tables))
    settings = {name: values for name, (values, _) in params.attacks.items()}
    style.save(robustness.draw(table, settings, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
