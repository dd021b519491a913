"""Add up what scoring and pruned trainings cost and draw accuracy against it."""

import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.cost import PRICES, ledger, price
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.draw import cost, style
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    params = snakemake.params
    prices = [{"metric": metric, **price(**used)} for metric, used in params.scoring.items()]
    table = ledger(read_sweeps(params.sweeps), pd.DataFrame(prices, columns=["metric", *PRICES]))
    style.save(cost.draw(table, snakemake.wildcards.dataset), snakemake.output.figure)
    storage.write_csv(snakemake.output.table, table)
