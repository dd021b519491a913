"""Count and draw the scores of all metrics."""

from pipeline_lib import metrics, scores, storage
from pipeline_lib.analyse.distributions import histograms
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import distributions, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    functions = snakemake.params.functions
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    files = zip(functions, snakemake.input.scores, strict=True)
    table = histograms({metric: scores.read(path, fingerprint, len(labels)) for metric, path in files})
    formulas = {metric: metrics.load(function).FORMULA for metric, function in functions.items()}
    style.save(distributions.draw(table, formulas, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
