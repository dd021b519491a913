"""A sweep: all pruned trainings of one metric in one process, each looked up in the run store first."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tqdm import tqdm

from pipeline_lib.config import Recipe, plain
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn.train import Data, test, train
from pipeline_lib.prune.store import RunStore, identity

log = logging.getLogger("pipeline")


@dataclass(frozen=True)
class Planned:
    """One training that a sweep wants.

    Attributes:
        point: where it stands on the figure's axis; NaN for a baseline.
        seed: run seed.
        kept: positions of the kept examples.
    """

    point: float
    seed: int
    kept: np.ndarray


class Trainer:
    """Train and test on subsets, through the run store. The data go to the device only if something must be trained.

    Args:
        dataset, fingerprint: the canonical data set.
        recipe: how to train.
        code: fingerprint of the training code.
        study_seed: what all randomness derives from.
        device: torch device.
        store: where finished runs are kept.
    """

    def __init__(self, dataset: Dataset, fingerprint: str, recipe: Recipe, code: str, study_seed: int, device, store: RunStore):
        self._dataset, self._fingerprint, self._recipe, self._code = dataset, fingerprint, recipe, code
        self._seed, self._device, self._store = study_seed, device, store
        self._data: Data | None = None
        self.trained = 0

    def run(self, kept: np.ndarray, seed: int) -> dict:
        """Return the finished run on a subset, from the store or by training now.

        Raises:
            PipelineError: the training diverged.
        """
        key = identity(self._fingerprint, kept, plain(self._recipe), self._code, self._seed, seed, self._device.type)
        finished = self._store.get(key)
        if finished is None:
            finished = {"identity": key, "seed": seed, **self._train(kept, seed)}
            self._store.put(finished)
            self.trained += 1
            log.info("trained on %d examples, seed %d: accuracy %.4f, run %s", len(kept), seed, finished["accuracy"], key)
        return finished

    def _train(self, kept: np.ndarray, seed: int) -> dict:
        if self._data is None:
            self._data = Data(self._dataset, self._recipe, self._device)
        done = train(self._data, kept, self._recipe, self._seed, seed)
        accuracy, class_accuracy = test(done.model, self._data, self._recipe)
        return {
            "kept": len(kept),
            "steps": done.steps,
            "accuracy": accuracy,
            "class_accuracy": class_accuracy,
            "seconds": done.seconds,
            "images_per_second": done.images / done.seconds,
            "device": self._device.type,
        }


def sweep(trainer: Trainer, planned: Iterable[Planned], class_names: list[str], title: str) -> pd.DataFrame:
    """Carry out planned trainings.

    Args:
        trainer: trains or looks up.
        planned: what to train.
        class_names: name the columns of the accuracies per class.
        title: of the progress bar.

    Returns:
        One row per run: point, seed, kept, steps, accuracy, seconds, run, then accuracy_{class} for each class.
    """
    rows = []
    planned = list(planned)
    for plan in tqdm(planned, desc=title, unit="run", disable=None):
        run = trainer.run(plan.kept, plan.seed)
        columns = {name: run[name] for name in ("kept", "steps", "accuracy", "seconds")}
        by_class = {f"accuracy_{name}": value for name, value in zip(class_names, run["class_accuracy"], strict=True)}
        rows.append({"point": plan.point, "seed": plan.seed, **columns, "run": run["identity"], **by_class})
    return pd.DataFrame(rows)
