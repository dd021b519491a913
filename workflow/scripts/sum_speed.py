"""Add up how fast all trainings of a data set were and what their time went into."""

import pandas as pd

from pipeline_lib import storage
from pipeline_lib.analyse.cost import accounts, runs_of, speeds
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins):
    sweeps = {name: read_sweeps(files, empty=True).values() for name, files in snakemake.params.sweeps.items()}
    table = speeds(pd.concat([accounts(snakemake.input.trainings), runs_of(sweeps)]))
    storage.write_csv(snakemake.output[0], table)
