"""A sweep: all pruned trainings of one metric in one process, each looked up in the run store first."""

import logging
import time
from collections.abc import Iterable

import numpy as np
import pandas as pd
from tqdm import tqdm

from pipeline_lib.config import Recipe, plain
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.speed import Speed, peak
from pipeline_lib.learn.train import test, train
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.store import CLOCKED, CURVE, RunStore, identity
from pipeline_lib.resume import Checkpoint
from pipeline_lib.rng import generator

log = logging.getLogger("pipeline")
MEASURED = ("kept", "steps", "accuracy", "seconds", "flops")
TIMES = ("seconds", *CLOCKED)  # columns that differ when the same training is done again


class Trainer:
    """Train and test on subsets, through the run store. The data go to the device only if something must be trained.

    Args:
        dataset, fingerprint: the canonical data set.
        recipe: how to train.
        code: fingerprint of the training code.
        study_seed: what all randomness derives from.
        device: torch device.
        store: where finished runs are kept.
        checkpoint_seconds: age from which the state of an unfinished run is kept anew.
    """

    def __init__(
        self,
        dataset: Dataset,
        fingerprint: str,
        recipe: Recipe,
        code: str,
        study_seed: int,
        device,
        store: RunStore,
        checkpoint_seconds: float = float("inf"),
    ):
        self.dataset = dataset
        self._fingerprint, self._recipe, self._code = fingerprint, recipe, code
        self._seed, self._device, self._store = study_seed, device, store
        self._checkpoint_seconds = checkpoint_seconds
        self._data: Data | None = None
        self.trained, self.speed, self.peak = 0, Speed(), float("nan")  # of what was trained now

    def run(self, planned: Planned, curve: bool = False) -> dict:
        """Return the finished run on a subset, from the store or by training now.

        Args:
            planned: what to train.
            curve: whether to test after every epoch.

        Raises:
            PipelineError: the training diverged.
        """
        kept, steps_of = planned.kept, len(self.dataset.train_labels)
        all_data = isinstance(kept, np.ndarray) and len(kept) == steps_of
        if planned.budget == "epochs" or all_data:  # of all data both budgets are the same training
            steps_of = None
        recipe, device = plain(self._recipe), self._device.type
        key = identity(self._fingerprint, kept, recipe, self._code, self._seed, planned.seed, device, steps_of)
        finished = self._store.get(key, curve)
        if finished is None:
            checkpoint = self._store.checkpoint(key, self._checkpoint_seconds)
            finished = {"identity": key, "seed": planned.seed, **self._train(kept, planned.seed, steps_of, curve, checkpoint)}
            begin = time.perf_counter()
            self._store.put(finished)
            checkpoint.remove()
            self.speed.io_seconds += time.perf_counter() - begin
            self.trained += 1
            log.info("trained on %d, seed %d: accuracy %.4f, run %s", finished["kept"], planned.seed, finished["accuracy"], key)
        return finished

    def _train(
        self, kept: np.ndarray | list[np.ndarray], seed: int, steps_of: int | None, curve: bool, checkpoint: Checkpoint
    ) -> dict:
        if self._data is None:
            begin = time.perf_counter()
            self._data = Data(self.dataset, self._recipe, self._device)
            self.speed.io_seconds += time.perf_counter() - begin
            self.peak = peak(self._device, self._recipe.precision)
        after_epochs = []

        def follow(epoch: int, model) -> None:
            if epoch >= 0:
                after_epochs.append(test(model, self._data, self._recipe)[0])

        if curve:
            checkpoint.add(
                "test", lambda: {"accuracy": np.array(after_epochs)}, lambda s: after_epochs.extend(s["accuracy"].tolist())
            )
        seeds = Seeds(self._seed, "training", seed)
        done = train(self._data, kept, self._recipe, seeds, steps_of, follow if curve else None, checkpoint)
        begin = time.perf_counter()
        accuracy, class_accuracy = test(done.model, self._data, self._recipe)
        done.speed.evaluation_seconds += time.perf_counter() - begin
        self.speed += done.speed
        return {
            "kept": len(kept[-1] if isinstance(kept, list) else kept),
            "steps": done.steps,
            "accuracy": accuracy,
            "class_accuracy": class_accuracy,
            "seconds": done.seconds,
            **done.speed.record(self.peak),
            "device": self._device.type,
            **({CURVE: after_epochs} if curve else {}),
        }


def sweep(trainer: Trainer, planned: Iterable[Planned], title: str, curve: bool = False) -> pd.DataFrame:
    """Carry out planned trainings.

    Args:
        trainer: trains or looks up.
        planned: what to train.
        title: of the progress bar; no two sweeps have the same.
        curve: whether to test after every epoch.

    Returns:
        One row per run: point, balanced, budget, seed, kept, steps, accuracy, seconds, flops, run, images, and what
        the clock said (`CLOCKED`); epoch_{t} for each
        epoch of a curve; accuracy_{class} and kept_{class} for each class.
    """
    planned, rows, names = list(planned), {}, trainer.dataset.class_names
    # two sweeps that want the same trainings at the same time each begin elsewhere, and find what the other has done
    for position in tqdm(generator("order of work", title).permutation(len(planned)), desc=title, unit="run", disable=None):
        plan = planned[position]
        run = trainer.run(plan, curve)
        kept = plan.kept[-1] if isinstance(plan.kept, list) else plan.kept
        counts = np.bincount(trainer.dataset.train_labels[kept], minlength=len(names)).tolist()
        rows[position] = (
            {"point": plan.point, "balanced": plan.balanced, "budget": plan.budget, "seed": plan.seed}
            | {name: run[name] for name in MEASURED}
            | {"run": run["identity"]}
            | {name: run[name] for name in ("images", *CLOCKED)}
            | {f"epoch_{epoch}": accuracy for epoch, accuracy in enumerate(run[CURVE] if curve else [], 1)}
            | {f"accuracy_{name}": value for name, value in zip(names, run["class_accuracy"], strict=True)}
            | {f"kept_{name}": number for name, number in zip(names, counts, strict=True)}
        )
    made = [rows[position] for position in sorted(rows)]
    return pd.DataFrame(made) if made else pd.DataFrame(columns=["point", "balanced", "budget", "seed", *MEASURED, "run"])
