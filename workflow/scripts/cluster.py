"""Cluster SwAV features with k-means."""

import time

from pipeline_lib.data.dataset import read_labels
from pipeline_lib.features import read_features, write_clusters
from pipeline_lib.hardware import gpu_expected
from pipeline_lib.job import job
from pipeline_lib.learn.cluster import elbow, flops, kmeans
from pipeline_lib.rng import derive_seed

with job(snakemake.log[0], snakemake.params.origins) as log:
    params, kind, k = snakemake.params, snakemake.wildcards.features, snakemake.wildcards.k
    labels, class_names, fingerprint = read_labels(snakemake.input.dataset)
    points = read_features(snakemake.input.features, kind, fingerprint, len(labels))
    gpu = gpu_expected(snakemake.config.get("device", "auto"))
    seed, curve = derive_seed(params.study_seed, "k-means"), {}
    begin = time.perf_counter()
    if k == "elbow":
        clusters, tried, inertia = elbow(points, *params.elbow, seed, params.threads, gpu)
        curve = {"elbow_k": tried, "elbow_inertia": inertia}
    else:
        clusters = kmeans(points, len(class_names) if k == "classes" else int(k), seed, params.threads, gpu)
    cost = {
        "seconds": time.perf_counter() - begin,
        "flops": sum(flops(*points.shape, tried) for tried in curve.get("elbow_k", [len(clusters.centroids)])),
    }
    attrs = {"dataset": fingerprint, "origin": params.origin, "features": kind, "k": k, "study_seed": params.study_seed}
    attrs |= {"code": params.code, **cost}
    write_clusters(snakemake.output[0], clusters, curve, attrs)
    log.info("%d clusters, mean squared distance %.4f", len(clusters.centroids), clusters.inertia / len(points))
