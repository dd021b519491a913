"""What all experiments have in common."""

from typing import Annotated, Literal

from pydantic import Field, Tag, model_validator

from pipeline_lib.config.section import Section, word_or

Metrics = Annotated[
    Annotated[list[str], Field(min_length=1), Tag("(other)")] | Annotated[Literal["all"], Tag("(word)")],
    word_or(list, ("all",), "a list of metrics"),
    Field(description="`all`: every configured metric but the baseline `random`"),
]
InnerShare = Annotated[float, Field(gt=0, lt=1)]


def once(key: str, values: list) -> None:
    """Refuse a list that holds a value twice."""
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{key}: {value} is given twice")


class Trained(Section):
    """What every experiment that trains says."""

    seeds: Annotated[int, Field(ge=1, description="trainings per point")] = 3


class Experiment(Trained):
    """What every experiment on subsets says about its trainings."""

    metrics: Metrics = "all"
    balanced: Annotated[
        list[bool],
        Field(min_length=1, description="true: the rule inside every class, so that all lose the same share; both are drawn"),
    ] = [False]
    budget: Annotated[
        list[Literal["epochs", "steps"]],
        Field(min_length=1, description="epochs: fewer examples, fewer steps; steps: as many as on all data; both are drawn"),
    ] = ["epochs"]
    missing_classes: Annotated[
        Literal["error", "allow"], Field(description="what to do when a class has no example in a kept subset")
    ] = "error"

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Experiment":
        for key in ("starts", "shares", "k", "epochs", "numbers", "metrics", "balanced", "budget", "by"):
            if isinstance(getattr(self, key, None), list):
                once(key, getattr(self, key))
        return self
