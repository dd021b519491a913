"""Draw how fast the tangent kernels of groups of neighbours turn, against difficulty and epoch."""

from pipeline_lib import storage
from pipeline_lib.analyse import landscape
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import style, velocity
from pipeline_lib.job import job
from pipeline_lib.prune.groups import percentile

with job(snakemake.log[0], snakemake.params.origins):
    settings, name = snakemake.params.settings, snakemake.wildcards.dataset
    labels, _, dataset = read_labels(snakemake.input.dataset)
    shape = (len(settings["epochs"]), len(settings["groups"]))
    turned = landscape.read(snakemake.input.kernels, "velocity", shape, dataset, "train_kernels")
    places = [percentile(place, settings["examples"], len(labels)) for place in settings["groups"]]
    table = landscape.velocities(turned, settings["epochs"], places)
    style.save(velocity.draw(table, name, settings["metric"], settings["examples"]), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
