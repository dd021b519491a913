"""What jobs ask a cluster for. No result depends on any of it, so changing it reruns nothing."""

from typing import Annotated

from pydantic import Field

from pipeline_lib.config.section import Positive, Section

Rate = Annotated[float, Field(gt=0, description="images of 32x32 pixels per second, forwards and backwards")]


class CpuRates(Section):
    """On one core; measured on an AMD EPYC (AVX512) and rounded down."""

    small_cnn: Rate = 3000
    resnet18_cifar: Rate = 25
    resnet18: Rate = 100
    resnet32: Rate = 100
    plain18: Rate = 2
    one_conv: Rate = 3000


class GpuRates(Section):
    """On one GPU; chosen low, for older ones."""

    small_cnn: Rate = 20000
    resnet18_cifar: Rate = 3000
    resnet18: Rate = 3000
    resnet32: Rate = 3000
    plain18: Rate = 400
    one_conv: Rate = 5000


class ImagesPerSecond(Section):
    """How fast models train, by the device that jobs compute on; larger images are slower in proportion to their pixels."""

    cpu: CpuRates = CpuRates()
    gpu: GpuRates = GpuRates()


class Cluster(Section):
    """Memory and run time that jobs ask for: from the size of their work, and more with every attempt."""

    images_per_second: ImagesPerSecond = ImagesPerSecond()
    time_margin: Annotated[float, Field(ge=1, description="the estimated run time is multiplied by it")] = 3
    shortest_minutes: Annotated[Positive, Field(description="minutes that every job asks for at least")] = 10
    longest_minutes: Annotated[Positive, Field(description="minutes that no job asks for more than: the partition's limit")] = 2880
    base_memory: Annotated[Positive, Field(description="MB of a job that has read nothing: Python and PyTorch")] = 2000
    largest_memory: Annotated[Positive, Field(description="MB that no job asks for more than: the largest node's")] = 256_000
    growth: Annotated[float, Field(ge=1, description="factor on memory and minutes with every further attempt")] = 2
