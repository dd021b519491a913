"""Correlate all metrics with one another and draw the table."""

from pipeline_lib import scores, storage
from pipeline_lib.analyse.correlation import correlate, intervals
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import correlation, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    files = zip(snakemake.params.metrics, snakemake.input.scores, strict=True)
    values = {metric: scores.read(path, fingerprint, len(labels)) for metric, path in files}
    method = snakemake.wildcards.method
    table = correlate(values, method)
    ranks = table if method == "spearman" else correlate(values, "spearman")  # both figures have their metrics in one order
    order = correlation.alike_together(ranks)
    figure = correlation.draw(table, snakemake.wildcards.dataset, method, len(labels), order)
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table, index=True)
    storage.write_csv(snakemake.output.intervals, intervals(values, method, snakemake.params.study_seed))
