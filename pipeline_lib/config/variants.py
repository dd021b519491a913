"""Experiments that change the recipe instead of the subset: how to make up for unequal classes, and which values are best.

What is varied stands where other experiments have a metric: results/{dataset}/sweeps/{experiment}/{what is varied}.csv. Its
variants are the points there.
"""

from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError, model_validator

from pipeline_lib.config.experiment import InnerShare, Trained, once
from pipeline_lib.config.readable import readable
from pipeline_lib.config.recipes import Adam, Balance, Constant, Cosine, OneCycle, Plateau, Recipe, Sgd, Steps
from pipeline_lib.config.section import plain
from pipeline_lib.errors import one_of

RECIPE = "recipe."  # how the keys of a sweep begin
# sections whose `name` chooses which other keys there are
KINDS = {
    "optimiser": {"adam": Adam, "sgd": Sgd},
    "schedule": {"constant": Constant, "onecycle": OneCycle, "cosine": Cosine, "steps": Steps, "plateau": Plateau},
}


class Variants(Trained):
    """Train on all data, or all but a validation split, by changes of the data set's training recipe."""

    def changes(self) -> Iterator[tuple[str, str, Any]]:
        """Yield (what is varied, key of the recipe, its value) of every variant; the first is a name for files."""
        raise NotImplementedError


class Balancing(Variants):
    """Train with each way of making up for unequal classes."""

    seeds: Annotated[int, Field(ge=1, description="trainings per way")] = 5
    balance: Annotated[
        list[Balance], Field(min_length=1, description="values of the recipe's `balance`; the others are compared with none")
    ] = list(get_args(Balance))

    @model_validator(mode="after")
    def _there_is_something_to_compare_with(self) -> "Balancing":
        once("balance", self.balance)
        if "none" not in self.balance:
            raise ValueError("balance: should hold none, with which the others are compared")
        return self

    def changes(self) -> Iterator[tuple[str, str, Any]]:
        """Yield one variant for each way; every way is a sweep of its own."""
        yield from ((way, "balance", way) for way in self.balance)


class RecipeSweep(Variants):
    """Vary values of the training recipe, one key at a time, and choose each on a validation split of the training set."""

    seeds: Annotated[int, Field(ge=1, description="trainings per value, each with a validation split of its own")] = 2
    values: Annotated[
        dict[str, Annotated[list[Any], Field(min_length=1)]],
        Field(min_length=1, description="recipe.{key}, dots between the parts of a key -> values; a value may be a whole section"),
    ] = {"recipe.optimiser.lr": [1e-3, 1e-2, 1e-1, 1]}
    validation: Annotated[InnerShare, Field(description="share of every class of the training set held out to choose by")] = 0.2

    @model_validator(mode="after")
    def _keys_are_of_a_recipe(self) -> "RecipeSweep":
        for key in self.values:
            first = key.removeprefix(RECIPE).split(".")[0]
            if not key.startswith(RECIPE) or first not in Recipe.model_fields:
                accepted = one_of(f"{RECIPE}{name}" for name in Recipe.model_fields)
                raise ValueError(f"values: no recipe has a key {key!r}; accepted: {accepted}, and keys below them")
        return self

    def changes(self) -> Iterator[tuple[str, str, Any]]:
        """Yield one variant for each value; every key is a sweep of its own."""
        for key, values in self.values.items():
            path = key.removeprefix(RECIPE)
            yield from ((path.replace(".", "_"), path, value) for value in values)

    def keys(self) -> dict[str, str]:
        """Return what is varied -> the recipe's key with its dots."""
        return {name: path for name, path, _ in self.changes()}


def variants(section: Variants, recipe: Recipe) -> dict[str, dict[float | str, Recipe]]:
    """Return what is varied -> value -> the recipe with it.

    Args:
        section: of the experiment.
        recipe: the data set's training recipe.

    Returns:
        Values are numbers or text, as `label` makes them of what the recipe then holds.

    Raises:
        ValueError: naming the key: the recipe has no such key, its model refuses a value, or two values are the same.
    """
    found: dict[str, dict[float | str, Recipe]] = {}
    for name, path, value in section.changes():
        changed, points = change(recipe, path, value), found.setdefault(name, {})
        point = label(_held(plain(changed), path), value)
        if point in points or changed in points.values():
            raise ValueError(f"{RECIPE}{path}: {point} is given twice")
        points[point] = changed
    return found


def change(recipe: Recipe, path: str, value: Any) -> Recipe:
    """Return a recipe with the value at a dotted path changed.

    Where a new `name` makes a section another kind (another optimiser), what the new kind has no key for is dropped and the rest
    stays: the learning rate is the same number for sgd and adam.

    Raises:
        ValueError: naming the key: the recipe has no such section, or its model refuses the value.
    """
    values = plain(recipe)
    section, (*way, last) = values, path.split(".")
    for place, part in enumerate(way):
        if not isinstance(section.get(part), dict):
            where = f"{RECIPE}{'.'.join(way[: place + 1])}"
            raise ValueError(f"{RECIPE}{path}: {where} has no keys below it in this recipe; it is {section.get(part)!r}")
        section = section[part]
    section[last] = value
    kind = KINDS.get(".".join(way), {}).get(value) if last == "name" and isinstance(value, str) else None
    if kind is not None:
        values[way[0]] = {key: held for key, held in section.items() if key in kind.model_fields}
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        complaint = readable(wrong | {"loc": ("recipe", *wrong["loc"])})
        raise ValueError(complaint if complaint.startswith(f"{RECIPE}{path}:") else f"{RECIPE}{path}: {complaint}") from None


def _held(values: Any, path: str) -> Any:
    for part in path.split("."):
        values = values[part]
    return values


def label(held: Any, given: Any) -> float | str:
    """Return what a value is called on an axis and in a table.

    Args:
        held: what the recipe holds at the key.
        given: what the config file says; of a section, only the keys that it names are told.
    """
    if isinstance(held, bool):
        return "on" if held else "off"
    if isinstance(held, int | float | str):
        return held
    if isinstance(held, dict) and isinstance(given, dict):
        return ", ".join(str(held[key]) if key == "name" else f"{key} {held[key]}" for key in given)
    return str(held)
