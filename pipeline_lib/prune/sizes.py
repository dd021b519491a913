"""How many examples an experiment keeps: known from its settings alone, before anything is scored."""

from collections.abc import Iterator
from fractions import Fraction

from pipeline_lib.data.split import held_out_of
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune.select import count, exact


def check(experiment: str, settings: dict, epochs: int, batch: int, examples: int | None, what: str) -> None:
    """Refuse an experiment that this data set and recipe cannot serve.

    Args:
        experiment: its name in config.yaml.
        settings: its section.
        epochs, batch: of the recipe.
        examples: of the training set; None if nobody knows yet.
        what: experiment, data set and metrics, for the messages.

    Raises:
        PipelineError: a curriculum does not fit its epochs, or a subset is smaller than a batch.
    """
    if experiment == "curriculum":
        curriculum(settings, epochs, what)
    if examples is not None:
        for point, share in _smallest(experiment, settings):
            enough(count(share, examples), batch, f"{what}, {point}", f"a batch is {batch / examples:.0%} of all {examples:,}")


def check_varied(settings: dict, batches: dict[float | str, int], counts: list[int] | None, what: str) -> None:
    """Refuse an experiment that varies the recipe if fewer examples are left than a batch has.

    Args:
        settings: its section: `validation`, the share held out, if any.
        batches: value -> the recipe's batch with it.
        counts: training examples of each class; None if nobody knows yet.
        what: experiment, data set and what is varied, for the messages.
    """
    if counts is None:
        return
    share = settings.get("validation")
    kept = sum(counts) - (sum(held_out_of(count, share) for count in counts if count) if share else 0)
    for point, batch in batches.items():
        enough(kept, batch, f"{what}, {point}")


def _smallest(experiment: str, settings: dict) -> Iterator[tuple[float | str, Fraction]]:
    """Yield (point, share of the examples kept)."""
    match experiment:
        case "relabel":  # how many labels are doubted is not known before
            return
        case "sliding_window":
            yield settings["starts"][0], exact(settings["size"])
        case "curriculum":
            yield "easiest", exact(settings["begin"])
        case _:
            for share in pruned(settings):
                yield share, 1 - exact(share)


def pruned(settings: dict) -> list[float]:
    """Return the shares that an experiment leaves out, be they many or one."""
    return settings["shares"] if "shares" in settings else [settings["share"]]


def difficulties(begin: str, end: str) -> tuple[Fraction, Fraction]:
    """Return the shares (0..1) of two percentages of the order of difficulty, from the easiest (0) to the hardest (100).

    Raises:
        PipelineError: they are no range.
    """
    first, last = (Fraction(percent) / 100 for percent in (begin, end))
    if not 0 <= first < last <= 1:
        raise PipelineError(
            f"examples from {begin} to {end}%: a range of difficulty begins below its end and lies between 0 (the easiest) and 100 "
            "(the hardest)"
        )
    return first, last


def enough(kept: int, batch: int, what: str, measure: str = "") -> None:
    """Refuse a subset that is smaller than a batch.

    Args:
        kept: examples.
        batch: of the recipe.
        what: was to be trained.
        measure: what else helps to choose another share.

    Raises:
        PipelineError: naming what was to be trained, and the cure.
    """
    if kept < batch:
        raise PipelineError(
            f"{what}: {kept} examples are fewer than one batch of {batch}{f' ({measure})' if measure else ''}. Prune less (under "
            "`experiments:` of the data set), or name a recipe with a smaller `batch` under its `recipes:`"
        )


def curriculum(settings: dict, epochs: int, what: str) -> list[Fraction]:
    """Return the share of the examples in each epoch.

    Args:
        settings: `begin`, `add`, `every` (None: the additions fill the first half of the epochs).
        epochs: of the recipe.
        what: for the message.

    Raises:
        PipelineError: the epochs are over before all data are in.
    """
    steps, share = [], exact(settings["begin"])
    while share < 1:
        steps.append(share)
        share += exact(settings["add"])
    every = settings["every"] or max(1, epochs // 2 // len(steps))
    if every * len(steps) >= epochs:
        raise PipelineError(
            f"{what}: {len(steps)} additions, one every {every} epoch(s), do not fit into the {epochs} epochs of the recipe. "
            "Choose a larger `add`, a smaller `every`, or more epochs"
        )
    grown = [step for step in steps for _ in range(every)]
    return grown + [Fraction(1)] * (epochs - len(grown))
