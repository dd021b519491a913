"""Draw the inertia of k-means against the number of clusters."""

from pipeline_lib import storage
from pipeline_lib.analyse.elbow import read_curve
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import elbow, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    _, _, fingerprint = read_labels(snakemake.input.dataset)
    table = read_curve(snakemake.input.clusters, fingerprint)
    style.save(elbow.draw(table, snakemake.wildcards.dataset, snakemake.params.features), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
