"""A sweep: all pruned trainings of one metric in one process, each looked up in the run store first."""

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from torch import nn
from tqdm import tqdm

from pipeline_lib import confusion, fingerprint
from pipeline_lib.config import Recipe, plain
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import Diverged, PipelineError
from pipeline_lib.learn import models
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.speed import Speed, peak
from pipeline_lib.learn.train import Tested, build, test, train
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.store import CLOCKED, CURVE, VALIDATED, RunStore, identity
from pipeline_lib.prune.validate import Validation
from pipeline_lib.resume import Checkpoint
from pipeline_lib.rng import generator

log = logging.getLogger("pipeline")
MEASURED = ("kept", "steps", "accuracy", "balanced_accuracy", "seconds", "flops")
DRAWN = ("drawn_accuracy", "drawn_balanced_accuracy")  # where the data set has an imbalanced test set
SEEN = "seen"  # examples of each class, told with a run and not stored
CONFUSIONS = ("confusion", "drawn_confusion")  # the second likewise
PATIENCE, PATIENT = 60, 3  # seconds, and times the longest training so far, that another process may take for one
TIMES = ("seconds", *CLOCKED)  # columns that differ when the same training is done again


class Trainer:
    """Train and test on subsets, through the run store. The data go to the device only if something must be trained.

    Args:
        dataset, fingerprint: the canonical data set.
        recipe: how to train; `precision: auto` is settled for the device, for
            variants of the recipe too.
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
        self.recipe = settled(recipe, dataset, device)
        self._fingerprint, self.code = fingerprint, code
        self._seed, self._device, self._store = study_seed, device, store
        self._checkpoint_seconds = checkpoint_seconds
        self._longest = 0.0  # seconds of a training
        self._data: dict[str, Data] = {}  # the last one used, by what of a recipe it depends on
        self.trained, self.speed, self.peak = 0, Speed(), float("nan")  # of what was trained now

    @property
    def data(self) -> Data:
        """The data set on the device, as the trainer's own recipe wants it."""
        return self._on_device(self.recipe)

    def model(self, planned: Planned) -> tuple[dict, nn.Module]:
        """Return the finished run on a subset and its network on the device, from the store or by training now.

        Raises:
            PipelineError: the training diverged, or the store was deleted while it was read.
        """
        run = self.run(planned, keep_model=True)
        state = self._store.model(run["identity"])
        if state is None:
            raise PipelineError(f"the run store has lost the network of run {run['identity']}. Run the same command again")
        model = build(self.data, self.recipe, Seeds(self._seed, "training", planned.seed))
        models.restore(model, state)
        return run | {"model_bytes": self._store.model_bytes(run["identity"])}, model.to(self._device)

    def run(self, planned: Planned, curve: bool = False, keep_model: bool = False, wait: bool = True) -> dict | None:
        """Return the finished run on a subset, from the store or by training now.

        Args:
            planned: what to train.
            curve: whether to test after every epoch.
            keep_model: whether the network must be in the store afterwards.
            wait: for another process that trains this just now, unless it takes very long; otherwise None is returned then.

        Raises:
            PipelineError: the training diverged.
        """
        planned = planned.with_subsets()
        kept, steps_of = planned.kept, len(self.dataset.train_labels)
        all_data = isinstance(kept, np.ndarray) and len(kept) == steps_of
        if planned.budget == "epochs" or all_data:  # of all data both budgets are the same training
            steps_of = None
        recipe, device = planned.recipe or self.recipe, self._device.type
        if recipe.precision == "auto":  # one for all: a curve over batches must not change its precision on the way
            recipe = recipe.model_copy(update={"precision": self.recipe.precision})
        key = identity(self._fingerprint, kept, plain(recipe), self.code, self._seed, planned.seed, device, steps_of)
        followed = VALIDATED if planned.held_out is not None else ()

        def look() -> dict | None:
            return None if keep_model and self._store.model(key) is None else self._store.get(key, (*[CURVE] * curve, *followed))

        finished = look()
        if finished is None:
            with self._store.claim(key, max(PATIENCE, PATIENT * self._longest) if wait else 0) as mine:
                finished = look()  # another process may have trained it just now
                if finished is None and (mine or wait):
                    finished = self._now(planned, recipe, steps_of, curve, keep_model, key)
        if finished is None:
            return None
        self._longest = max(self._longest, finished["seconds"])
        return finished | {SEEN: self._seen(kept)}

    def _seen(self, kept: np.ndarray | list[np.ndarray]) -> list[int]:
        """Return how many examples of each class are trained on, in whatever epoch."""
        seen = np.zeros(len(self.dataset.train_labels), dtype=bool)
        for subset in kept if isinstance(kept, list) else [kept]:
            seen[subset] = True
        return np.bincount(self.dataset.train_labels[seen], minlength=len(self.dataset.class_names)).tolist()

    def _now(self, planned: Planned, recipe: Recipe, steps_of: int | None, curve: bool, keep_model: bool, key: str) -> dict:
        """Train, keep the run in the store, and return it."""
        checkpoint = self._store.checkpoint(key, self._checkpoint_seconds)
        done, model = self._train(planned, recipe, steps_of, curve, checkpoint)
        finished = {"identity": key, "seed": planned.seed, **done}
        if keep_model:
            self._store.put_model(key, models.state(model))
        begin = time.perf_counter()
        self._store.put(finished)
        checkpoint.remove()
        self.speed.io_seconds += time.perf_counter() - begin
        self.trained += 1
        log.info("trained on %d, seed %d: accuracy %.4f, run %s", finished["kept"], planned.seed, finished["accuracy"], key)
        return finished

    def _on_device(self, recipe: Recipe) -> Data:
        """Return the data set as a recipe wants it."""
        key = repr((recipe.normalise, recipe.augmentation.crop_padding))
        if key not in self._data:
            begin = time.perf_counter()
            self._data = {key: Data(self.dataset, recipe, self._device)}
            self.speed.io_seconds += time.perf_counter() - begin
        return self._data[key]

    def _train(
        self, planned: Planned, recipe: Recipe, steps_of: int | None, curve: bool, checkpoint: Checkpoint
    ) -> tuple[dict, nn.Module]:
        kept, data, after_epochs = planned.kept, self._on_device(recipe), []
        self.peak = peak(self._device, recipe.precision)
        validation = Validation(data, recipe, planned.held_out) if planned.held_out is not None else None

        def follow(epoch: int, model) -> None:
            if curve and epoch >= 0:
                after_epochs.append(test(model, data, recipe).accuracy)
            if validation:
                validation.after_epoch(epoch, model)

        if curve:
            checkpoint.add(
                "test", lambda: {"accuracy": np.array(after_epochs)}, lambda s: after_epochs.extend(s["accuracy"].tolist())
            )
        if validation:
            checkpoint.add("validation", validation.state, validation.restore)
        seeds = Seeds(self._seed, "training", planned.seed)
        done = train(data, kept, recipe, seeds, steps_of, follow if curve or validation else None, checkpoint)
        begin = time.perf_counter()
        tested = test(done.model, data, recipe)
        done.speed.evaluation_seconds += time.perf_counter() - begin
        self.speed += done.speed
        values = {
            "kept": len(kept[-1] if isinstance(kept, list) else kept),
            "steps": done.steps,
            **_measured(tested),
            "seconds": done.seconds,
            **done.speed.record(self.peak),
            "device": self._device.type,
            "precision": recipe.precision,
            **({CURVE: after_epochs} if curve else {}),
            **(validation.found() | {"train_loss": done.train_loss} if validation else {}),
        }
        return values, done.model


def _measured(tested: Tested) -> dict:
    """Return what the run store keeps of a test: on all test images and, where there are such, on the drawn ones."""
    accuracy, class_accuracy, found, drawn = tested
    values = {"accuracy": accuracy, "class_accuracy": class_accuracy, "balanced_accuracy": confusion.balanced_accuracy(found)}
    values["confusion"] = found.tolist()
    if drawn is not None:
        values |= dict(zip(DRAWN, (confusion.accuracy(drawn), confusion.balanced_accuracy(drawn)), strict=True))
        values["drawn_confusion"] = drawn.tolist()
    return values


def sweep(trainer: Trainer, planned: Iterable[Planned], title: str, curve: bool = False) -> pd.DataFrame:
    """Carry out planned trainings.

    Args:
        trainer: trains or looks up.
        planned: what to train.
        title: of the progress bar; no two sweeps have the same.
        curve: whether to test after every epoch.

    Returns:
        One row per run: point, balanced, budget, seed, kept, steps, accuracy, balanced_accuracy (mean over the classes that
        have test images), seconds, flops, run, images, and what the clock said (`CLOCKED`); epoch_{t} for each epoch of a
        curve; accuracy_{class} and kept_{class} for each class (where epochs differ, those of all epochs; kept is of the last);
        drawn_accuracy and drawn_balanced_accuracy where there is an imbalanced test set; confusion and drawn_confusion, counts
        of test images: "5 0;1 4" are two true classes of five.
        Of runs that are followed on held-out examples also what `_followed` returns. A run that varies the recipe may diverge:
        `diverged` says so, and it has no results.
    """
    planned, rows, names = list(planned), {}, trainer.dataset.class_names
    # two sweeps that want the same trainings at the same time each begin elsewhere, and find what the other has done
    order = generator("order of work", title).permutation(len(planned))
    for position, run in tqdm(_runs(trainer, planned, order, curve), title, len(planned), unit="run", disable=None):
        plan = planned[position]
        if isinstance(run, Diverged):
            log.warning("%s, %s, seed %d: %s", title, plan.point, plan.seed, run)
            rows[position] = _place(plan) | {"kept": len(plan.kept), "diverged": True}
            continue
        rows[position] = (
            _place(plan)
            | {name: run[name] for name in MEASURED}
            | {"run": run["identity"]}
            | {name: run[name] for name in ("images", *CLOCKED)}
            | {f"epoch_{epoch}": accuracy for epoch, accuracy in enumerate(run[CURVE] if curve else [], 1)}
            | {f"accuracy_{name}": value for name, value in zip(names, run["class_accuracy"], strict=True)}
            | {f"kept_{name}": number for name, number in zip(names, run[SEEN], strict=True)}
            | {name: run[name] for name in DRAWN if name in run}
            | {name: confusion.to_text(run[name]) for name in CONFUSIONS if name in run}
            | (_followed(run, names) if plan.held_out is not None else {})
            | ({"diverged": False} if plan.recipe is not None else {})
        )
    made = [rows[position] for position in sorted(rows)]
    return pd.DataFrame(made) if made else pd.DataFrame(columns=["point", "balanced", "budget", "seed", *MEASURED, "run"])


def assist(trainer: Trainer, planned: Iterable[Planned], title: str, curve: bool = False) -> None:
    """Carry out some of the trainings of a sweep that another process answers for, until all are done or under way.

    One that diverges leaves nothing behind: each helper tries it, and the sweep, which says so. Arguments as of `sweep`.
    """
    planned = list(planned)
    if fingerprint.code(*fingerprint.TRAINING) != trainer.code:
        log.info("the code of trainings was edited after the sweep had begun: nothing is trained")
        return
    for position in reversed(generator("order of work", title).permutation(len(planned))):
        with contextlib.suppress(Diverged):  # the sweep will say so
            trainer.run(planned[position], curve, wait=False)


def _runs(trainer: Trainer, planned: list[Planned], order: Iterable[int], curve: bool) -> Iterator[tuple[int, dict | Diverged]]:
    """Yield the position of each training and what came of it; those that another process does meanwhile come last."""

    def outcome(position: int, wait: bool) -> dict | Diverged | None:
        try:
            return trainer.run(planned[position], curve, wait=wait)
        except Diverged as error:
            if planned[position].recipe is None:
                raise
            return error

    elsewhere = []
    for position in order:
        if run := outcome(position, wait=False):
            yield position, run
        else:
            elsewhere.append(position)
    if elsewhere:
        log.info("%d more are being trained by other processes", len(elsewhere))
    for position in elsewhere:
        yield position, outcome(position, wait=True)


def _place(plan: Planned) -> dict:
    return {"point": plan.point, "balanced": plan.balanced, "budget": plan.budget, "seed": plan.seed}


def _followed(run: dict, names: list[str]) -> dict:
    """Return validation_accuracy, validation_balanced_accuracy, validation_accuracy_{class}; both losses of every epoch."""
    losses = {f"{name}_{t}": loss for name in ("train_loss", "validation_loss") for t, loss in enumerate(run[name], 1)}
    by_class = zip(names, run["validation_class_accuracy"], strict=True)
    by_class = {f"validation_accuracy_{name}": value for name, value in by_class}
    return {name: run[name] for name in ("validation_accuracy", "validation_balanced_accuracy")} | by_class | losses
