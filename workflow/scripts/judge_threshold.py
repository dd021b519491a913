"""Cut off by the AUM of threshold examples, and let all runs vote on every label."""

from contextlib import ExitStack

from pipeline_lib import storage
from pipeline_lib.analyse.threshold import ALL_RUNS, Run, cut_offs, open_run, small_classes, votes
from pipeline_lib.data.dataset import read_truth
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log, ExitStack() as stack:
    settings, params = snakemake.params.settings, snakemake.params
    labels, wrong, fingerprint = read_truth(snakemake.input.dataset)
    runs = [Run.of(*open_run(stack, path, labels, fingerprint)) for path in snakemake.input.runs]
    table = votes(runs, settings["margins"], settings["percentile"])
    found = cut_offs(runs, settings["margins"], settings["percentile"], wrong, params.study_seed)
    storage.write_csv(snakemake.output.votes, table, origin=params.origin)
    storage.write_csv(snakemake.output.table, found)
    decided = found[(found["run"] == ALL_RUNS) & found["decides"]].iloc[0]
    small = small_classes(labels, runs[0].members)
    if len(small):
        words = "%d classes have less than half as many examples as the threshold examples (%d): their right labels are doubted too"
        log.warning(words, len(small), runs[0].members.sum())
    log.info("%d of %d labels doubted", decided["doubted"], decided["judged"])
