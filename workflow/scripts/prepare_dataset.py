"""Read a source and write the canonical data set."""

import importlib

from pipeline_lib import storage
from pipeline_lib.data import dataset as canonical
from pipeline_lib.data.class_sizes import class_sizes
from pipeline_lib.data.oddities import oddities
from pipeline_lib.job import job

with job(snakemake.log[0], snakemake.params.origins) as log:
    source = importlib.import_module(f"pipeline_lib.data.{snakemake.params.kind}")
    obtain = snakemake.config["datasets"][snakemake.wildcards.dataset].get("obtain", "")  # advice, so not among the params
    dataset, note = source.read({**snakemake.params.settings, "obtain": obtain}, snakemake.params.seed)
    canonical.check(dataset, f"data set {snakemake.wildcards.dataset}")
    attrs = {"source": snakemake.params.settings, "note": note, "seed": snakemake.params.seed, "origin": snakemake.params.origin}
    for sentence in oddities(dataset):
        log.warning("%s", sentence)
    fingerprint = canonical.write(snakemake.output.dataset, dataset, attrs)
    storage.write_csv(snakemake.output.classes, class_sizes(dataset, fingerprint), origin=snakemake.params.origin)
    log.info("%d training and %d test images of %d classes", len(dataset.train_labels), len(dataset.test_labels), dataset.classes)
