"""Which labels are probably wrong: the learned cut-off, and what becomes of a training without them."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline_lib.config.experiment import Experiment
from pipeline_lib.config.section import Section


class Threshold(Section):
    """Threshold examples: a share of the training set is given a class of its own, and its AUM is the cut-off."""

    runs: Annotated[int, Field(ge=2, description="trainings, each with threshold examples of its own; all vote")] = 2
    percentile: Annotated[float, Field(gt=0, le=100, description="of their AUM; a label that is below it is taken for wrong")] = 99
    margins: Annotated[
        Literal["training", "clean"],
        Field(description="training: of the augmented images, as they are trained on; clean: of the pass after each epoch"),
    ] = "training"


class Relabel(Experiment):
    """Leave the doubted labels out, beside as many at random and beside those that are known to be wrong."""

    metrics: Literal["all"] = "all"  # what it leaves out is said by `by`
    by: Annotated[
        list[Literal["threshold", "lead", "truth"]],
        Field(
            min_length=1,
            description="threshold: below the learned cut-off; lead: another class is far more probable; truth: known to be wrong",
        ),
    ] = ["threshold", "lead", "truth"]
    balanced: list[Literal[False]] = [False]
