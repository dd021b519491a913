"""How many examples of each class an unequal data set has: known from the classes' sizes alone."""

import math

from pipeline_lib.errors import PipelineError, one_of


def kept(imbalance: dict, available: dict[str, int], key: str) -> dict[str, int]:
    """Return how many training examples of each class are drawn.

    A ratio orders the classes by their size, in the base's order where that is equal. The largest keeps all its N; of the class
    at rank r (0 = largest) of C, `exponential` keeps N ratio^(-r / (C - 1)) (Cui et al. 2019), `step` N in the first half of
    the ranks and N / ratio in the others; at least one, and never more than there are.

    Args:
        imbalance: `counts` (class -> examples) or None, `ratio`, `profile`.
        available: class -> training examples in the base, in its order.
        key: where the section stands in config.yaml, for messages.

    Returns:
        class -> examples, in the base's order; classes that `counts` does not name are left out.

    Raises:
        PipelineError: a class that the base lacks, or more examples than there are.
    """
    counts = imbalance["counts"]
    if counts is not None:
        _check(counts, available, f"{key}.counts", "training")
        return {name: counts[name] for name in available if name in counts}
    ranked = sorted(available, key=lambda name: -available[name])
    wanted = {name: available[ranked[0]] * _share(rank, len(ranked), imbalance) for rank, name in enumerate(ranked)}
    return {name: max(1, min(number, round(wanted[name]))) for name, number in available.items()}


def of_test_set(imbalance: dict, trained: dict[str, int], available: dict[str, int], key: str) -> dict[str, int] | None:
    """Return how many test images of each class make the imbalanced test set; None if there is to be none.

    Args:
        imbalance: `test`: "proportional" (as many as possible, in the proportions of the training examples), "none", or
            class -> images.
        trained: class -> training examples drawn.
        available: class -> test images in the base; has every class of `trained`.
        key: where the section stands in config.yaml, for messages.

    Raises:
        PipelineError: the classes are not those of the training examples, or more images than there are.
    """
    test = imbalance["test"]
    if test == "none":
        return None
    if test != "proportional":
        _check(test, {name: available[name] for name in trained}, f"{key}.test", "test")
        return {name: test.get(name, 0) for name in trained}
    factor = min(available[name] / number for name, number in trained.items() if available[name])
    return {name: min(available[name], max(1, round(factor * number))) for name, number in trained.items()}


def _share(rank: int, classes: int, imbalance: dict) -> float:
    if imbalance["profile"] == "step":
        return 1 if rank < math.ceil(classes / 2) else 1 / imbalance["ratio"]
    return imbalance["ratio"] ** (-rank / (classes - 1))


def _check(counts: dict[str, int], available: dict[str, int], key: str, split: str) -> None:
    for name, number in counts.items():
        if name not in available:
            raise PipelineError(f"{key}: there is no class {name!r}; accepted: {one_of(available)}")
        if number > available[name]:
            has = f"the base has only {available[name]} {split} images"
            raise PipelineError(f"{key}.{name}: {number} examples asked for, but {has}")
