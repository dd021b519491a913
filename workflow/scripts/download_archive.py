"""Fetch the official archive of CIFAR-10 or CIFAR-100."""

from pipeline_lib.data.cifar import download
from pipeline_lib.job import job

with job(snakemake.log[0]):
    download(snakemake.wildcards.source, snakemake.output[0])
