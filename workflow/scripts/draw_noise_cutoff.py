"""Compare flags and scores on data sets that differ only in their wrong labels."""

from contextlib import ExitStack

import numpy as np
import pandas as pd

from pipeline_lib import dynamics, metrics, scores, storage
from pipeline_lib.analyse.belief import beliefs_of
from pipeline_lib.analyse.cutoffs import rows_of_flags, rows_of_scores
from pipeline_lib.analyse.noise import detect
from pipeline_lib.analyse.threshold import DOUBTED, read_votes
from pipeline_lib.data.dataset import read_truth
from pipeline_lib.draw import cutoffs, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, tables = snakemake.params, []
    seeds = min(len(files["dynamics"]) for files in params.kinds.values())  # a larger ensemble would find more
    for kind, files in params.kinds.items():
        labels, wrong, fingerprint = read_truth(files["dataset"])
        voted, members = read_votes(files["votes"], len(wrong)), files["dynamics"][:seeds]
        with ExitStack() as stack:
            believed = beliefs_of(dynamics.open_source(stack, members, {}, labels, fingerprint))
        flags = {"threshold": voted[DOUBTED].to_numpy(), "lead": believed["likely_mislabelled"].to_numpy()}
        tables.append(
            rows_of_flags(kind, {by: np.asarray(flag, dtype=bool) for by, flag in flags.items()}, wrong, params.study_seed)
        )
        known = {}
        for metric, settings in params.metrics.items():
            module, values = metrics.load(settings["function"]), settings["parameters"]
            known[metric] = scores.compute(metric, module, values, members, labels, fingerprint, params.study_seed)
        known |= {f"threshold {margins} AUM": -voted[f"aum_{margins}"].to_numpy() for margins in ("training", "clean")}
        tables.append(rows_of_scores(kind, detect(known, wrong, params.study_seed)))
    table = pd.concat(tables)
    style.save(cutoffs.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
    log.info("%d data sets with wrong labels, ensembles of %d", len(params.kinds), seeds)
