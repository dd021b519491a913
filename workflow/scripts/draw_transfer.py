"""Correlate the scores of several ensembles on the same data, set accuracy after pruning by each beside it and draw both."""

from pipeline_lib import scores, storage
from pipeline_lib.analyse.diet import transferred
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.draw import style, transfer
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    files = dict(zip([name for _, _, name in params.names], snakemake.input.scores, strict=True))
    values = {name: scores.read(path, fingerprint, len(labels)) for name, path in files.items()}
    table = transferred(read_sweeps(params.sweeps, empty=True), params.names, values, params.study_seed)
    style.save(transfer.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
