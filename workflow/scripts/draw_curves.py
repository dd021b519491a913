"""Summarise the test accuracy after every epoch and draw it."""

from pipeline_lib import storage
from pipeline_lib.analyse.sweeps import curves, read_sweeps
from pipeline_lib.draw import curves as drawing
from pipeline_lib.draw import style
from pipeline_lib.job import job
from pipeline_lib.prune.sizes import curriculum

with job(snakemake.log[0], snakemake.params.origins):
    params, experiment = snakemake.params, snakemake.wildcards.experiment
    in_use = None
    if experiment == "curriculum":
        shares = curriculum(params.settings, params.epochs, f"{experiment} of {snakemake.wildcards.dataset}")
        in_use = [float(share) for share in shares]
    table = curves(read_sweeps(params.sweeps), in_use)
    figure = drawing.draw(drawing.panels(table), f"{snakemake.wildcards.dataset}: {params.question}")
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
