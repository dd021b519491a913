"""Measure how well every metric finds the labels that are known to be wrong, and draw it."""

from pipeline_lib import scores, storage
from pipeline_lib.analyse.noise import detect
from pipeline_lib.data.dataset import read_corruption
from pipeline_lib.draw import noise_detection, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    wrong, fingerprint = read_corruption(snakemake.input.dataset)
    files = zip(params.metrics, snakemake.input.scores, strict=True)
    values = {metric: scores.read(path, fingerprint, len(wrong)) for metric, path in files}
    table = detect(values, wrong, params.study_seed)
    style.save(noise_detection.draw(table, params.noisy), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
