"""Judge the claims of the thesis by what was computed on this data set."""

from pipeline_lib import storage
from pipeline_lib.analyse.claims import judge
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log:
    tables = {name: read_sweeps(files) for name, files in snakemake.params.sweeps.items()}
    tables["correlation"] = storage.read_csv(snakemake.input.correlation, ("metric_a", "metric_b"), "draw_correlation")
    for path in snakemake.input.noise:
        tables["noise_detection"] = storage.read_csv(path, ("metric", "auroc"), "draw_noise_detection")
    table = judge(tables)
    storage.write_csv(snakemake.output[0], table)
    log.info("%s", table["verdict"].value_counts().to_dict())
