"""The file that a long training ends in: named by what it depends on, taken back or gone on with, written, kept."""

import time
from typing import Any

import numpy as np
import torch

from pipeline_lib import fingerprint, resume, storage
from pipeline_lib.config import Recipe, Swav
from pipeline_lib.learn import device as devices
from pipeline_lib.learn.speed import Speed, peak


class Outcome:
    """What a job is to leave behind.

    An object is made before the training: it puts a file that an interrupted job had finished in its place, and else measures the
    device's peak. This module is no part of a file's `code`: after a change of what it writes, files that are there stay.

    Args:
        path: of the file.
        settings: of what is trained, its precision settled: what is computed depends on it. Only keys that were given count for
            the file's name: the workflow leaves out those that the training never reads.
        device: where to compute.
        dataset: fingerprint of the data set.
        params: of the job: `origin`, `upstream`, `code` and `study_seed`.
        depends: plain values that the result depends on besides these.
        age: seconds after which the state of the training is written anew.

    Attributes:
        there: whether the file is finished; then there is nothing else to do.
        checkpoint: of the training.

    Raises:
        ValueError: the precision is not settled.
    """

    def __init__(
        self,
        path: str,
        settings: Recipe | Swav,
        device: torch.device,
        dataset: str,
        params: Any,
        *,
        depends: list,
        age: float,
    ):
        if settings.precision == "auto":
            raise ValueError("what `precision: auto` means has to be settled before a training is named")
        told = settings.model_dump(mode="json", exclude_unset=True)
        identity = fingerprint.value(dataset, params.upstream, told, params.study_seed, depends, params.code, device.type)
        self._path = path
        self._attrs = {
            "dataset": dataset,
            "origin": params.origin,
            "identity": identity,
            "recipe" if isinstance(settings, Recipe) else "settings": told,
            "study_seed": params.study_seed,
            "code": params.code,
            "device": devices.name(device),
        }
        self.checkpoint = resume.Checkpoint(path, identity, age)
        self.there = resume.take_back(path, identity)
        self._peak = float("nan") if self.there else peak(device, settings.precision)

    def write(self, arrays: dict[str, np.ndarray], attrs: dict, speed: Speed, reading: float) -> str:
        """Write and keep the file, and remove the training's state.

        Args:
            arrays: by name.
            attrs: beside what the training is named by.
            speed: account of the training. Changed in place: reading is added before the file is written, the time of writing
                it after, so that the file itself lacks the latter.
            reading: seconds that reading the data set took.

        Returns:
            The account in a line.
        """
        begin = time.perf_counter()
        speed.io_seconds += reading
        storage.write_h5(self._path, arrays, self._attrs | attrs | speed.record(self._peak))
        resume.keep(self._path)
        self.checkpoint.remove()
        speed.io_seconds += time.perf_counter() - begin
        return speed.words(self._peak)
