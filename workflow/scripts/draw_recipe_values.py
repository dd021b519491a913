"""Choose recipe values on the held-out examples and draw what was tried."""

from pipeline_lib import storage
from pipeline_lib.analyse.recipe_values import losses, values
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import recipe_values, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    _, names, _ = read_labels(snakemake.input.dataset)
    files = read_sweeps(params.sweeps)
    table, curves = values(files, params.own, names), losses(files)
    question = f"which values suit the recipe {params.name}? One key at a time"
    figure = recipe_values.draw(table, curves, f"{snakemake.wildcards.dataset}: {question}")
    style.save(figure, snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
    storage.write_csv(snakemake.output.losses, curves)
