"""Compute the barriers between networks that branched, and draw them against the epoch at which they did."""

from pipeline_lib import storage
from pipeline_lib.analyse import landscape
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import connectivity, style
from pipeline_lib.job import job
from pipeline_lib.prune.groups import THIRDS

with job(snakemake.log[0], snakemake.params.origins):
    settings, name = snakemake.params.settings, snakemake.wildcards.dataset
    _, _, dataset = read_labels(snakemake.input.dataset)
    shape = (len(settings["epochs"]), settings["points"], len(THIRDS))
    loss, error = (
        landscape.read(snakemake.input.lines, array, shape, dataset, "train_connectivity") for array in ("loss", "error")
    )
    table = landscape.connectivity(loss, error, settings["epochs"], list(THIRDS))
    style.save(connectivity.draw(table, name, settings["metric"], settings["examples"]), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
