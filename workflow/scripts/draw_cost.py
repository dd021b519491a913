"""Add up what scoring and pruned trainings cost and draw accuracy against it."""

import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.cost import PRICES, accounts, ledger, price, speeds
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.draw import cost, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    prices = [{"metric": metric, **price(files)} for metric, files in params.scoring.items()]
    sweeps = read_sweeps(params.sweeps)
    table = ledger(sweeps, pd.DataFrame(prices, columns=["metric", *PRICES]))
    pruned = pd.concat(sweeps.values()).drop_duplicates("run").assign(what="trainings of prune_easiest")
    speed = speeds(pd.concat([accounts(sum(params.scoring.values(), [])), pruned]))
    style.save(cost.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
    storage.write_csv(snakemake.output.speed, speed)
