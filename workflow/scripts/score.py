"""Score every training example with one metric."""

from pipeline_lib import metrics, scores
from pipeline_lib.data.dataset import read_labels
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, name, source = snakemake.params, snakemake.wildcards.metric, list(snakemake.input.source)
    metric = metrics.load(params.settings["function"])
    labels, _, fingerprint = read_labels(snakemake.input.dataset)
    score = scores.compute(name, metric, params.settings["parameters"], source, labels, fingerprint, params.study_seed)
    attrs = {
        "metric": name,
        "formula": metric.FORMULA,
        "range": metric.RANGE,
        "parameters": params.settings,
        "dataset": fingerprint,
        "origin": params.origin,
        "code": params.code,
        "seeds": (params.settings["parameters"].get("seeds") or len(source)) if metric.NEEDS == "dynamics" else 0,
    }
    caveat = metrics.caveat(params.settings["function"], params.settings["parameters"])
    if caveat:
        attrs["caveat"] = caveat
        log.warning("%s", caveat)
    scores.write(snakemake.output[0], score, attrs)
    log.info("%d examples, %.4g to %.4g", len(score), score.min(), score.max())
