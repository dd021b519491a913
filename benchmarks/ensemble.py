"""The ensemble as a user trains it: by the workflow, several members at a time on one GPU."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest import mock

import torch

from benchmarks.result import Group, Result, Row, clock, skipped
from benchmarks.workflow import make, noise_project

EXAMPLES = 50_000  # as CIFAR-10
SEEDS, TOGETHER = 10, 5
MPS = "nvidia-cuda-mps-control"
HOW = (
    "`snakemake --resources gpu=N` in a copy of the repository's files trains and records the ensemble of `cifar10` on noise of its"
    " size, with the settings of config.yaml, from start to exit. One member more has been trained before, so that the data set "
    "is prepared and kernels are compiled. Accuracies are those of chance; the work is the same."
)
IN_TURN = Row(
    "ensemble_gpu",
    f"Ensemble of {SEEDS} ResNet-18, CIFAR-10's size, GPU",
    "s",
    "at most 94 s",
    f"{TOGETHER} jobs at a time, which compute in turn.",
    "a GPU",
)
SIDE_BY_SIDE = Row(
    "ensemble_gpu_mps",
    f"Ensemble of {SEEDS} ResNet-18, CIFAR-10's size, GPU, MPS",
    "s",
    "at most 94 s",
    f"{TOGETHER} jobs at a time, which NVIDIA's MPS lets compute side by side.",
    f"a GPU and {MPS}",
)


def measure(quick: bool) -> Iterator[Result]:
    """Yield a result per row."""
    if not torch.cuda.is_available():
        yield from skipped([IN_TURN, SIDE_BY_SIDE])
        return
    with tempfile.TemporaryDirectory() as folder:
        project = Ensemble(Path(folder, "project"), *((2, 1, 1_000) if quick else (SEEDS, None, EXAMPLES)))
        yield Result(IN_TURN.key, (project.train(TOGETHER),), f"{TOGETHER} at a time")
        if not shutil.which(MPS):
            yield from skipped([SIDE_BY_SIDE])
            return
        with side_by_side():
            yield Result(SIDE_BY_SIDE.key, (project.train(TOGETHER),), f"{TOGETHER} at a time")


class Ensemble:
    """A copy of the project in which the ensemble of noise is trained.

    Args:
        folder: of the copy.
        seeds: members whose time is taken.
        epochs: of each; None: as config.yaml says.
        examples: training images.
        recipe: of the members; None: as config.yaml says.

    Raises:
        RuntimeError: the workflow failed; carries the end of what it wrote.
    """

    def __init__(self, folder: Path, seeds: int, epochs: int | None, examples: int, recipe: str | None = None):
        self._folder, self._seeds = folder, seeds
        ensemble = {"seeds": seeds + 1, **({"epochs": epochs} if epochs else {})}
        noise_project(folder, examples, {"scoring": recipe} if recipe else {}, ensemble, {})
        self._snakemake([seeds], 1)

    def train(self, together: int) -> float:
        """Train all members but the one that was trained at first, so many at a time, and return the seconds."""
        for member in range(self._seeds):
            self._file(member).unlink(missing_ok=True)
        return clock(lambda: self._snakemake(range(self._seeds), together))

    def _file(self, member: int) -> Path:
        return self._folder / f"results/cifar10/dynamics/seed{member}.h5"

    def _snakemake(self, members: Iterable[int], together: int) -> None:
        targets = [str(self._file(member).relative_to(self._folder)) for member in members]
        cores = max(together, len(os.sched_getaffinity(0)))
        make(self._folder, targets, cores, "--resources", f"gpu={together}")


@contextlib.contextmanager
def side_by_side() -> Iterator[None]:
    """Let the processes that are started meanwhile compute side by side on the GPU."""
    with tempfile.TemporaryDirectory() as folder:
        ours = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        for path in ours.values():
            Path(path).mkdir()
        with mock.patch.dict(os.environ, ours):
            subprocess.run([MPS, "-d"], check=True)
            try:
                yield
            finally:
                subprocess.run([MPS], input="quit\n", text=True, check=True)


GROUP = Group("ensemble", "The ensemble on one GPU", HOW, (IN_TURN, SIDE_BY_SIDE), measure)
