"""Score by some seeds of the ensemble, correlate with the others, set accuracy after pruning beside it and draw both."""

from contextlib import ExitStack

from pipeline_lib import dynamics, storage
from pipeline_lib.analyse.diet import against_seeds, subset_agreement
from pipeline_lib.analyse.reliability import scored_by_seeds
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import seeds, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins), ExitStack() as stack:
    params = snakemake.params
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    ensemble = dynamics.open_source(stack, list(snakemake.input.dynamics), {}, labels, fingerprint)
    scored_by = {metric: scored_by_seeds(ensemble, settings) for metric, settings in params.metrics.items()}
    numbers = {metric: [number for of, number, _ in params.names if of == metric] for metric in scored_by}
    agreed = subset_agreement(scored_by, numbers, len(ensemble.seeds), params.subsets, params.study_seed)
    table = against_seeds(read_sweeps(params.sweeps, empty=True), params.names, agreed, len(labels))
    style.save(seeds.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
