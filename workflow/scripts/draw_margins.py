"""Draw the margins of a training with threshold examples, and its cut-off."""

from contextlib import ExitStack

import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.margins import curves, groups_of, histogram
from pipeline_lib.analyse.threshold import Run, open_run, read_votes
from pipeline_lib.data.dataset import read_truth
from pipeline_lib.draw import margins, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins), ExitStack() as stack:
    settings = snakemake.params.settings
    labels, wrong, fingerprint = read_truth(snakemake.input.dataset)
    dynamics, members = open_run(stack, snakemake.input.run, labels, fingerprint)
    run, table = Run.of(dynamics, members), read_votes(snakemake.input.votes, len(labels))
    followed = curves(dynamics, groups_of(table, run, wrong, settings["margins"]), settings["margins"])
    counted = histogram(run, settings["margins"], wrong)
    cut_off = run.cut_off(settings["margins"], settings["percentile"])
    style.save(margins.draw(followed, counted, cut_off, settings["margins"], snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, pd.concat([followed, counted.assign(cut_off=cut_off)]))
