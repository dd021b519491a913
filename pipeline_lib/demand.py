"""What a job asks a cluster for: memory and run time, from the size of its work. Starts without torch.

Both are meant to be too large rather than too small: a job that is killed costs more than one that waits a little longer.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline_lib.config.cluster import Cluster
from pipeline_lib.config.section import REPEATED
from pipeline_lib.learn.cluster import ELBOW_POINTS, flops
from pipeline_lib.prune.select import exact
from pipeline_lib.prune.sizes import pruned

PIXELS = 32 * 32  # that the rates of config.yaml are meant for
MEGABYTE = 1e6
IMAGE_COPIES = 4  # read, split or changed, normalised, tested on: more than any job holds at once
DYNAMICS_BYTES = 16  # per example, epoch and class: 2 on the disk, one seed at a time in double precision and a copy
TABLE_BYTES = 10_000  # per example: features of 512 numbers and their copy, scores, ranks, rows of a table
ACTIVATION_BYTES = 6_000  # per pixel of a batch on a CPU (measured: 4,600 of resnet18_cifar)
RECORDING = 4 / 3  # an epoch of the ensemble is followed by a pass forwards: a third of the arithmetic
SWAV_VIEWS = 3  # two views of every image, and what drawing them costs
LOOK = 2 / 3  # a pass forwards for the statistics of batch normalisation, less than one for the loss: of three of an epoch
KERNEL_PASSES = 12  # per row of a tangent kernel: its gradient, computed again for every part of the examples (ResNet-18: 6)
KERNEL_COPIES = 3  # the last kernels, the new ones, and a comparison in double precision
GRADIENT_MEGABYTES = 1500  # two parts of the gradients on a CPU, and what their computation takes
FEATURES = 512  # dimensions of the widest features that are clustered
CLUSTER_FLOPS = 5e9  # per second and core (chosen low)
LIGHT_EXAMPLES = 100  # per second, by jobs that train nothing: decode, score, rank or draw them (chosen low)
# what is taken for granted of a data set that is not there yet
UNKNOWN_EXAMPLES, UNKNOWN_SHAPE, UNKNOWN_CLASSES = 50_000, (3, 32, 32), 100


@dataclass(frozen=True)
class Size:
    """How large a data set is.

    Attributes:
        examples: of the training set.
        classes: of them.
        shape: (channels, height, width) of an image.
    """

    examples: int
    classes: int
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, counts: list[int] | None, shape: tuple[int, int, int] | None) -> "Size":
        """Return the size of a data set, or what is taken for granted where nobody knows yet.

        Args:
            counts: training examples of each class, or None.
            shape: of an image, or None.
        """
        examples, classes = (sum(counts), len(counts)) if counts else (UNKNOWN_EXAMPLES, UNKNOWN_CLASSES)
        return cls(examples, classes, shape or UNKNOWN_SHAPE)

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.shape[1] * self.shape[2]

    @property
    def passes_per_image(self) -> float:
        """How many images of 32x32 pixels one image stands for."""
        return self.pixels / PIXELS


@dataclass(frozen=True)
class Demand:
    """What the first attempt asks for, and how every further one asks for more.

    Attributes:
        megabytes: of memory.
        seconds: estimated, without margin.
        cluster: margins and limits.
    """

    megabytes: float
    seconds: float
    cluster: Cluster

    def memory(self, attempt: int) -> int:
        """Return the megabytes to ask for."""
        return min(self.cluster.largest_memory, math.ceil(self.megabytes * self._grown(attempt)))

    def minutes(self, attempt: int) -> int:
        """Return the minutes to ask for."""
        first = max(self.cluster.shortest_minutes, self.seconds * self.cluster.time_margin / 60)
        return min(self.cluster.longest_minutes, math.ceil(first * self._grown(attempt)))

    def _grown(self, attempt: int) -> float:
        return self.cluster.growth ** (attempt - 1)


def light(cluster: Cluster, size: Size, epochs: int) -> Demand:
    """Prepare, score, rank or draw a data set: nothing is trained.

    Args:
        cluster: the section of config.yaml.
        size: of the data set.
        epochs: recorded by the ensemble.
    """
    return Demand(_held(cluster, size, epochs), size.examples / LIGHT_EXAMPLES, cluster)


def training(cluster: Cluster, size: Size, recipe: dict, device: str, epochs: float, recorded: int = 0) -> Demand:
    """Train by a recipe.

    Args:
        cluster: the section of config.yaml.
        size: of the data set.
        recipe: a section of `recipes` or of `swav`.
        device: "cpu" or "gpu".
        epochs: passes over all examples, of all trainings of the job together.
        recorded: epochs whose dynamics the job keeps.
    """
    rate = getattr(getattr(cluster.images_per_second, device), recipe["model"])
    on_host = recipe["batch"] * size.pixels * ACTIVATION_BYTES / MEGABYTE if device == "cpu" else 0
    return Demand(
        _held(cluster, size, recorded) + on_host,
        epochs * size.examples * size.passes_per_image / rate + size.examples / LIGHT_EXAMPLES,
        cluster,
    )


def recording(cluster: Cluster, size: Size, recipe: dict, device: str, gradients: int = 0) -> Demand:
    """Train one member of the ensemble and record it; `gradients`: how often the whole gradient's norm, each like an epoch."""
    return training(cluster, size, recipe, device, recipe["epochs"] * RECORDING + gradients, recipe["epochs"])


def features(cluster: Cluster, size: Size, swav: dict, device: str) -> Demand:
    """Train SwAV."""
    return training(cluster, size, swav, device, swav["epochs"] * SWAV_VIEWS)


def connecting(cluster: Cluster, size: Size, recipe: dict, device: str, settings: dict) -> Demand:
    """Train a parent and two children per epoch, and look at every point between these.

    Args:
        cluster: the section of config.yaml.
        size: of the data set.
        recipe: a section of `recipes`.
        device: "cpu" or "gpu".
        settings: the section `connectivity`.
    """
    children = 2 * sum(recipe["epochs"] - epoch for epoch in settings["epochs"])
    looks = len(settings["epochs"]) * settings["points"] * LOOK
    return training(cluster, size, recipe, device, recipe["epochs"] + children + looks)


def turning(cluster: Cluster, size: Size, recipe: dict, device: str, settings: dict) -> Demand:
    """Train, and compute tangent kernels before and after each epoch that is looked at.

    Args:
        cluster: the section of config.yaml.
        size: of the data set.
        recipe: a section of `recipes`.
        device: "cpu" or "gpu".
        settings: the section `kernel_velocity`.
    """
    kernels = 2 * len(settings["epochs"]) * len(settings["groups"])
    rows = settings["examples"] * size.classes
    passes = kernels * rows * KERNEL_PASSES / size.examples
    trained = training(cluster, size, recipe, device, recipe["epochs"] + passes)
    matrices = KERNEL_COPIES * len(settings["groups"]) * rows**2 * 4 / MEGABYTE
    return Demand(trained.megabytes + GRADIENT_MEGABYTES + matrices, trained.seconds, cluster)


def clustering(cluster: Cluster, size: Size, k: str, elbow: tuple[int, int] | None) -> Demand:
    """Cluster features with k-means, on a CPU.

    Args:
        cluster: the section of config.yaml.
        size: of the data set.
        k: a number, "classes" or "elbow".
        elbow: smallest and largest number tried; None where the number is given.
    """
    clusters = sum(elbow) / 2 * ELBOW_POINTS if elbow else size.classes if k == "classes" else int(k)
    work = flops(size.examples, FEATURES, clusters)
    return Demand(_held(cluster, size, 0), work / CLUSTER_FLOPS + size.examples / LIGHT_EXAMPLES, cluster)


def sweeping(cluster: Cluster, size: Size, recipe: dict, device: str, experiment: str, metric: str, settings: dict) -> Demand:
    """Train on every subset that an experiment wants of one metric or baseline, as if the run store were empty."""
    return training(cluster, size, recipe, device, passes(experiment, metric, settings, recipe["epochs"]))


def varying(cluster: Cluster, size: Size, recipes: list[dict], device: str, settings: dict) -> Demand:
    """Train by each of several recipes on all data, or all but a validation split, as if the run store were empty.

    Args:
        cluster: the section of config.yaml.
        size: of the data set.
        recipes: plain values.
        device: "cpu" or "gpu".
        settings: the experiment's section: `seeds`, and `validation`, the share held out, if any.
    """
    # the held-out share is not trained on but predicted after every epoch, which takes less
    each = [training(cluster, size, recipe, device, recipe["epochs"] * settings["seeds"]) for recipe in recipes]
    return Demand(max(demand.megabytes for demand in each), sum(demand.seconds for demand in each), cluster)


def attacking(cluster: Cluster, size: Size, recipe: dict, device: str, metric: str, settings: dict, attacks: dict) -> Demand:
    """Attack the networks of prune_easiest, as if the run store were empty, and as many test images as training examples.

    Args:
        cluster: the section of config.yaml.
        size: of the data set.
        recipe: of the trainings.
        device: "cpu" or "gpu".
        metric: its name; or "random", "repeated_random" or "full".
        settings: the experiment's section, as the rule `attack` is given it.
        attacks: name -> (settings, bounds).
    """
    trainings = settings["seeds"] * len(settings.get("shares", [0])) * len(settings.get("balanced", [0]))
    trainings *= len(settings.get("budget", [0]))
    steps = sum((each["steps"] * each["restarts"] + 1) * len(bounds) for each, bounds in attacks.values())
    epochs = passes("prune_easiest", metric, settings, recipe["epochs"]) + trainings * steps
    return training(cluster, size, recipe, device, epochs)


def places(device: str, cores: int, offered: Mapping[str, object], threads: int) -> int:
    """Return how many jobs and helpers may run at once on this machine; 0: no helpers.

    Args:
        device: "cpu" or "gpu".
        cores: that Snakemake may use.
        offered: resources that it may use, by name. Where memory is among them, jobs alone are known to keep to it; how many
            share a GPU is what its owner says, and not taken for granted.
        threads: of the job that has most: one with several is no fork, so who lends cores does not know of it.
    """
    if threads > 1 or {"mem", "mem_mb"} & {*offered}:
        return 0
    return min(cores, offered.get("gpu", 0)) if device == "gpu" else cores


def passes(experiment: str, metric: str, settings: dict, epochs: int) -> float:
    """Return how often the trainings of a sweep together see all examples.

    Args:
        experiment: its name in config.yaml.
        metric: its name; or "random", "repeated_random" or "full".
        settings: the experiment's section, as the rule `sweep` is given it.
        epochs: of the recipe.
    """
    if metric == "full":
        return float(epochs * settings["seeds"])
    shares = _kept(experiment, metric, settings)
    by_budget = {"epochs": sum(shares), "steps": len(shares)}  # as many steps as on all data, however few are kept
    budgets = ["epochs"] if metric == REPEATED else settings["budget"]
    return float(epochs * settings["seeds"] * len(settings["balanced"]) * sum(by_budget[each] for each in budgets))


def _kept(experiment: str, metric: str, settings: dict) -> list:
    """Return the share of the examples that is trained on, at every point of an experiment."""
    match experiment:
        case "sliding_window":
            return [exact(settings["size"])] * (1 if metric in ("random", REPEATED) else len(settings["starts"]))
        case "relabel":  # nearly all data: without the doubted labels, and without as many others
            return [1, 1]
        case "curriculum":  # has the budget of all examples, however it begins
            return [1] * (1 if metric == "random" else 2)
    return [1 - exact(share) for share in pruned(settings)]


def _held(cluster: Cluster, size: Size, epochs: int) -> float:
    """Return the megabytes that a job holds: itself, images, one seed's dynamics, tables."""
    images = math.prod(size.shape) * IMAGE_COPIES
    return cluster.base_memory + size.examples * (images + epochs * size.classes * DYNAMICS_BYTES + TABLE_BYTES) / MEGABYTE
