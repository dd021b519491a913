"""Place the examples on the data map and draw a sample of them."""

from contextlib import ExitStack

from pipeline_lib import storage
from pipeline_lib.analyse.belief import cartography
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import data_map, style
from pipeline_lib.dynamics import open_source
from pipeline_lib.job import job
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins), ExitStack() as stack:
    params = snakemake.params
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    table = cartography(open_source(stack, snakemake.input.dynamics, {}, labels, fingerprint))
    sample = generator(params.study_seed, "data map").permutation(len(table))[: params.examples]
    table = table.iloc[sorted(sample)]
    figure = data_map.draw(table, snakemake.wildcards.dataset, len(labels), len(snakemake.input.dynamics))
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
