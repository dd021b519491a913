"""Summarise the sliding-window sweeps and draw them."""

from pipeline_lib import storage
from pipeline_lib.analyse.sliding_window import summarise
from pipeline_lib.draw import sliding_window, style
from pipeline_lib.job import job

with job(snakemake.log[0]):
    names = snakemake.params.metrics
    sweeps = {
        name: storage.read_csv(path, ("point", "accuracy"), "sweep") for name, path in zip(names, snakemake.input, strict=True)
    }
    table = summarise(sweeps, snakemake.params.size)
    style.save(sliding_window.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
