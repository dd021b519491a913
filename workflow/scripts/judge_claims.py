"""Judge the claims of the thesis by what was computed on this data set."""

from contextlib import ExitStack

from pipeline_lib import dynamics, storage
from pipeline_lib.analyse.claims import judge
from pipeline_lib.analyse.correlation import between_ensembles
from pipeline_lib.analyse.reliability import halves, scored_by_seeds
from pipeline_lib.analyse.sweeps import read_sweeps
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.job import job
from pipeline_lib.rng import generator

with job(snakemake.log[0], snakemake.params.origins) as log, ExitStack() as stack:
    params, files = snakemake.params, snakemake.input
    tables = {name: read_sweeps(sweeps) for name, sweeps in params.sweeps.items()}
    tables["correlation"] = storage.read_csv(files.correlation, ("metric_a", "metric_b"), "draw_correlation")
    for path in files.noise:
        tables["noise_detection"] = storage.read_csv(path, ("metric", "auroc"), "draw_noise_detection")
    for path in files.transfer:
        tables["transfer"] = storage.read_csv(path, ("metric", "scored_by", "agreement"), "draw_transfer")
    if files.dynamics:
        labels, _, fingerprint = read_labels(files.dataset)
        ensemble = dynamics.open_source(stack, list(files.dynamics), {}, labels, fingerprint)
        early, final = (scored_by_seeds(ensemble, settings) for settings in params.early_and_final)
        seeds = len(ensemble.seeds)
        splits = halves(seeds, params.splits, generator(params.study_seed, "split halves"))
        scored = [[(by(a), by(b)) for a, b in splits] for by in (early, final)]
        tables["early"] = between_ensembles(*scored, seeds / (seeds // 2), params.study_seed)
    table = judge(tables)
    storage.write_csv(snakemake.output[0], table)
    log.info("%s", table["verdict"].value_counts().to_dict())
