"""Which trainings an experiment wants of one metric or baseline."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np

from pipeline_lib.config import REPEATED, Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import flags, select
from pipeline_lib.prune.select import exact
from pipeline_lib.prune.sizes import curriculum, enough, pruned
from pipeline_lib.rng import generator

log = logging.getLogger("pipeline")
NO_POINT = float("nan")  # where a baseline stands that has no place on the axis
WITHOUT_CONSTANT = ("score_epoch", "seeds", "transfer")  # a score that is the same for all is left out of the figure, and no error
WITH_CURVE = ("prune_fixed", "curriculum")  # followed from epoch to epoch


@dataclass(frozen=True)
class Planned:
    """One training that an experiment wants.

    Attributes:
        point: where it stands on the figure's axis: a share, an end of the curriculum, or NaN for a baseline.
        seed: run seed.
        kept: (M,) positions of the kept examples, or a list with one such array per epoch, or what returns such a list: those of
            all trainings at once would fill the memory.
        balanced: whether every class keeps the same share.
        budget: "epochs", or "steps" for as many as on all data.
        recipe: how to train, where an experiment varies that; None: as the data set's training recipe says.
        held_out: (K,) positions on which the training is followed, none of them kept; None: it is not.
    """

    point: float | str
    seed: int
    kept: np.ndarray | list[np.ndarray] | Callable[[], list[np.ndarray]]
    balanced: bool = False
    budget: str = "epochs"
    recipe: Recipe | None = None
    held_out: np.ndarray | None = None

    def with_subsets(self) -> "Planned":
        """Return the same with the subsets in place of what returns them."""
        return replace(self, kept=self.kept()) if callable(self.kept) else self


@dataclass(frozen=True)
class Request:
    """What a rule is given: one metric (or the random baseline), one run seed, balanced or not.

    Attributes:
        score: (N,) higher = harder; None for the random baseline.
        order: (N,) positions, easiest first, ties at random; of the random baseline a random order.
        labels: (N,) if the rule is to be applied inside every class, else None.
        choice: returns the generator of a choice at random, of several choices each given its name.
    """

    score: np.ndarray | None
    order: np.ndarray
    labels: np.ndarray | None
    choice: Callable[..., np.random.Generator]


def plan(
    experiment: str,
    metric: str,
    score: np.ndarray | None,
    settings: dict,
    recipe: Recipe,
    dataset: Dataset,
    study_seed: int,
    what: str,
) -> list[Planned]:
    """List the trainings of one metric or baseline, everything checked before the first of them.

    Args:
        experiment: its name in config.yaml.
        metric: its name; or "random" (a random subset for every seed), "repeated_random" (one for every epoch) or "full".
        score: (N,) higher = harder, or (G, N) of which training seed s goes by row s modulo G; of the experiment `relabel` 1 for
            a doubted label, 0 for the others; None for a baseline.
        settings: the experiment's section.
        recipe: for the batch, and the epochs of a curriculum.
        dataset: for labels and class names.
        study_seed: what ties and random orders derive from.
        what: experiment, data set and metric, for messages.

    Raises:
        PipelineError: all scores are the same (nothing is planned in `WITHOUT_CONSTANT`), a subset is smaller than a batch or
            than what was asked for, or a class has no example in a subset and `missing_classes` is "error".
    """
    by_seed = None if score is None else np.atleast_2d(score)
    constant = [] if score is None else [row[0] for row in by_seed if row.min() == row.max()]
    if constant and experiment in WITHOUT_CONSTANT:
        which = "" if len(by_seed) == 1 else f" by {len(constant)} of {len(by_seed)} groups of seeds"
        words = "%s: every example has the same score (%g)%s: left out, as there is no order to prune by"
        log.warning(words, what, constant[0], which)
        return []
    if constant:
        raise PipelineError(
            f"{what}: every example has the same score ({constant[0]:g}), so there is no order to prune by. Leave this metric out "
            f"of `experiments.{experiment}.metrics`, or score earlier in the training (its `epoch`, or `ensemble.epochs`)"
        )
    examples = len(dataset.train_labels)
    if metric == "full":
        return [Planned(NO_POINT, seed, np.arange(examples)) for seed in range(settings["seeds"])]
    if metric == REPEATED:
        planned = _repeated_random(settings, recipe, dataset, study_seed, what)
    else:
        planned = _chosen_once(experiment, metric, by_seed, settings, recipe, dataset, study_seed, what)
    return sorted(planned, key=lambda run: (str(run.point), run.balanced, run.budget, run.seed))


def order_of(metric: str, score: np.ndarray | None, examples: int, study_seed: int, seed: int) -> np.ndarray:
    """Return (N,) positions from the easiest to the hardest, as the trainings of a run seed go by it.

    Args:
        metric: its name; or "random", which orders afresh for every seed.
        score: (N,) higher = harder; ties fall at random, anew for every seed. None for "random".
        examples: N.
        study_seed, seed: what the order of ties, or of all, derives from.
    """
    if metric == "random":
        return generator(study_seed, "random subset", seed).permutation(examples)
    return select.difficulty_order(score, generator(study_seed, "ties", metric, seed))


def _request(metric: str, score: np.ndarray | None, labels: np.ndarray, balanced: bool, study_seed: int, seed: int) -> Request:
    order = order_of(metric, score, len(labels), study_seed, seed)
    return Request(score, order, labels if balanced else None, partial(generator, study_seed, "choice", metric, seed))


def _chosen_once(
    experiment: str,
    metric: str,
    by_seed: np.ndarray | None,
    settings: dict,
    recipe: Recipe,
    dataset: Dataset,
    study_seed: int,
    what: str,
) -> Iterator[Planned]:
    """Yield the trainings on subsets that stay, or grow by a plan: by scores (G, N), or at random where there are none."""
    for balanced, seed in product(settings["balanced"], range(settings["seeds"])):
        row = None if by_seed is None else by_seed[seed % len(by_seed)]
        request = _request(metric, row, dataset.train_labels, balanced, study_seed, seed)
        for point, kept in _subsets(experiment, request, settings, recipe, what):
            _check(kept, settings, recipe, dataset, _named(what, point))
            yield from (Planned(point, seed, kept, balanced, budget) for budget in settings["budget"])


def _subsets(
    experiment: str, request: Request, settings: dict, recipe: Recipe, what: str
) -> Iterator[tuple[float | str, np.ndarray | list[np.ndarray]]]:
    """Yield (point, kept) for every point of an experiment."""
    order, labels, at_random = request.order, request.labels, request.score is None
    match experiment:
        case "sliding_window":
            # one random subset stands for all starts
            for point, start in [(NO_POINT, 0)] if at_random else zip(settings["starts"], settings["starts"], strict=True):
                yield point, select.window(order, start, settings["size"], labels)
        case "curriculum":
            sizes = curriculum(settings, recipe.epochs, what)
            for point, direction in [(NO_POINT, order)] if at_random else [("easiest", order), ("hardest", order[::-1])]:
                yield point, _growing(direction, sizes, labels)
        case "relabel":
            kept = np.flatnonzero(request.score == 0)
            yield flags.WITHOUT, kept
            yield flags.AT_RANDOM, np.sort(request.choice().permutation(len(order))[: len(kept)])
        case "prune_stratified" if not at_random:
            for share, cutoff in zip(pruned(settings), settings["cutoffs"], strict=True):
                rule = (settings["strata"], cutoff, request.choice(str(share)), labels)  # whatever other shares there are
                yield share, select.stratified(request.score, 1 - exact(share), *rule)
        case _:
            for share in pruned(settings):
                from_easiest = experiment == "prune_hardest" or at_random  # a random subset is the same in every experiment
                yield share, select.window(order, 0 if from_easiest else share, 1 - exact(share), labels)


def _repeated_random(settings: dict, recipe: Recipe, dataset: Dataset, study_seed: int, what: str) -> Iterator[Planned]:
    """Yield the trainings on another random subset in every epoch."""
    labels = dataset.train_labels
    sizes = [(NO_POINT, exact(settings["size"]))] if "size" in settings else [(at, 1 - exact(at)) for at in pruned(settings)]
    for balanced, seed, (point, size) in product(settings["balanced"], range(settings["seeds"]), sizes):
        choice = partial(generator, study_seed, REPEATED, seed)
        kept = partial(_subsets_in_turn, labels if balanced else np.zeros_like(labels), size, recipe.epochs, choice)
        enough(select.count(size, len(labels)), recipe.batch, _named(what, point))
        if settings["missing_classes"] == "error":
            together = np.unique(np.concatenate(kept()))
            select.require_all_classes(together, labels, dataset.class_names, _named(what, point))
        yield Planned(point, seed, kept, balanced)


def _subsets_in_turn(
    groups: np.ndarray, size: Fraction, epochs: int, choice: Callable[[], np.random.Generator]
) -> list[np.ndarray]:
    """Return a random subset for every epoch: repeated sampling without replacement (RS2, Okanovic et al. 2024).

    Every group has its share in every epoch, and all its examples have had their turn before one has its next.

    Args:
        groups: (N,) group of each example, from 0.
        size: share of each group.
        epochs: how many subsets.
        choice: returns the generator, the same each time.
    """
    rng, turns, kept = choice(), np.zeros(len(groups), dtype=np.int64), []
    counts = np.bincount(groups)
    taken, place = select.apportion(size, counts), np.arange(len(groups)) - np.repeat(np.cumsum(counts) - counts, counts)
    for _ in range(epochs):
        order = np.lexsort((rng.random(len(groups)), turns, groups))  # by group, those with the fewest turns first
        kept.append(np.sort(order[place < np.repeat(taken, counts)]))
        turns[kept[-1]] += 1
    return kept


def _growing(order: np.ndarray, sizes: list[Fraction], labels: np.ndarray | None) -> list[np.ndarray]:
    subsets = {size: select.window(order, 0, size, labels) for size in set(sizes)}
    return [subsets[size] for size in sizes]


def _named(what: str, point: float | str) -> str:
    return what if point != point else f"{what}, {point}"


def _check(kept: np.ndarray | list[np.ndarray], settings: dict, recipe: Recipe, dataset: Dataset, what: str) -> None:
    smallest = min(kept, key=len) if isinstance(kept, list) else kept
    enough(len(smallest), recipe.batch, what)
    if settings["missing_classes"] == "error" and not isinstance(kept, list):  # a curriculum sees all classes in the end
        select.require_all_classes(kept, dataset.train_labels, dataset.class_names, what)
