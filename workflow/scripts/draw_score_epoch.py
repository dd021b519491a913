"""Set accuracy and agreement against the epoch after which the scores were known, and draw both."""

from contextlib import ExitStack

from pipeline_lib import dynamics, metrics, scores, storage
from pipeline_lib.analyse.diet import against_epoch, foretold
from pipeline_lib.analyse.reliability import scored_by_seeds
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import score_epoch, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log, ExitStack() as stack:
    params = snakemake.params
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    ensemble = dynamics.open_source(stack, list(snakemake.input.dynamics), {}, labels, fingerprint)
    scored_by = {name: scored_by_seeds(ensemble, settings) for name, settings in params.metrics.items()}
    agreed = foretold(scored_by, params.names, len(ensemble.seeds), params.splits, params.study_seed)
    files = dict(zip([name for _, _, name in params.names], snakemake.input.scores, strict=True))
    values = {name: scores.read(path, fingerprint, len(labels)) for name, path in files.items()}
    norm = scores.read(snakemake.input.input_norm, fingerprint, len(labels))
    table = against_epoch(read_sweeps(params.sweeps, empty=True), params.names, values, norm, agreed)
    for row in table[table["note"] != ""].to_dict("records"):
        log.warning("%s (epoch %g) is left out: %s", row["metric"], row["epoch"], row["note"])
    if (table["epoch"] == 0).any():
        log.warning("epoch 0: %s", metrics.UNTRAINED)
    style.save(score_epoch.draw(table, snakemake.wildcards.dataset, params.splits), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
