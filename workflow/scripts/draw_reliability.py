"""Score the examples by halves of the ensemble, correlate the halves and draw it."""

from contextlib import ExitStack

from pipeline_lib import dynamics, storage
from pipeline_lib.analyse.reliability import scored_by_seeds, table
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import reliability, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins), ExitStack() as stack:
    params = snakemake.params
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    ensemble = dynamics.open_source(stack, list(snakemake.input.dynamics), {}, labels, fingerprint)
    scored_by = {metric: scored_by_seeds(ensemble, settings) for metric, settings in params.metrics.items()}
    found = table(scored_by, len(ensemble.seeds), params.splits, params.study_seed)
    style.save(reliability.draw(found, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, found)
