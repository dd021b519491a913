"""Correlate the norm of the whole gradient with cheaper scores of the same epoch, and draw it."""

from contextlib import ExitStack

from pipeline_lib import dynamics, storage
from pipeline_lib.analyse.diet import gradients
from pipeline_lib.data import dataset as canonical
from pipeline_lib.draw import grand_full as figure
from pipeline_lib.draw import style
from pipeline_lib.job import job
from pipeline_lib.metrics import el2n, grand, grand_full, input_norm

with job(snakemake.log[0], snakemake.params.origins), ExitStack() as stack:
    params, dataset = snakemake.params, snakemake.wildcards.dataset
    found, fingerprint = canonical.read(snakemake.input.dataset)
    ensemble = dynamics.open_source(stack, list(snakemake.input.dynamics), {}, found.train_labels, fingerprint)
    norm, scores = input_norm.score(found.train_images), {}
    for epoch in sorted(params.settings["epochs"]):
        known = ensemble.until(epoch)
        scores[epoch] = {metric.__name__.split(".")[-1]: metric.score(known) for metric in (grand_full, grand, el2n)}
        scores[epoch]["input_norm"] = norm
    table = gradients(scores, params.study_seed)
    style.save(figure.draw(table, dataset, params.settings["layers"], len(norm)), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
