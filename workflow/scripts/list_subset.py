"""List the examples of a range of difficulty, to train on elsewhere."""

from pipeline_lib import scores, storage
from pipeline_lib.data.dataset import read
from pipeline_lib.job import job
from pipeline_lib.prune import sizes
from pipeline_lib.prune.subset import subset

with job(snakemake.log[0], snakemake.params.origins) as log:
    wildcards = snakemake.wildcards
    dataset, fingerprint = read(snakemake.input.dataset)
    score = scores.read(snakemake.input.score, fingerprint, len(dataset.train_labels))
    begin, end = sizes.difficulties(wildcards.begin, wildcards.end)
    table = subset(dataset, wildcards.metric, score, begin, end, bool(wildcards.balanced), snakemake.params.study_seed)
    storage.write_csv(snakemake.output[0], table)
    kept = table["label"].value_counts().reindex(dataset.class_names, fill_value=0)
    log.info("%d of %d examples; of the classes %s", len(table), len(score), ", ".join(f"{n} {k}" for n, k in kept.items()))
    if (kept == 0).any():
        log.warning("no example is left of %s", ", ".join(kept.index[kept == 0]))
