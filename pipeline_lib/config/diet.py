"""The experiments of when difficulty can be told, and from what: earlier epochs, fewer seeds, another network."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline_lib.config.experiment import Experiment, InnerShare
from pipeline_lib.config.section import Positive


class ScoreEpoch(Experiment):
    """Leave shares of the easiest out by scores known after so many epochs of the ensemble; its last one is always drawn."""

    epochs: Annotated[
        list[Annotated[int, Field(ge=0)]], Field(min_length=1, description="of the ensemble; 0: the untrained networks")
    ] = [0, 1, 2, 4]
    shares: Annotated[list[InnerShare], Field(min_length=1, description="pruned")] = [0.3, 0.5]
    missing_classes: Annotated[
        Literal["error", "allow"], Field(description="early scores may take a whole class for easy; the table and figure say so")
    ] = "allow"


class SeedCounts(Experiment):
    """Leave one share of the easiest out by scores of some seeds of the ensemble, others for each training; all are drawn too."""

    numbers: Annotated[
        list[Positive], Field(min_length=1, description="of seeds whose scores are averaged; std takes 2 or more")
    ] = [1, 2, 3, 5]
    share: InnerShare = 0.5


class Transfer(Experiment):
    """Leave one share of the easiest out by the scores of other data sets, which differ in their recipes alone."""

    datasets: Annotated[list[str], Field(min_length=1, description="with the same images and labels: `base:` this one, no change")]
    share: InnerShare = 0.5

    @model_validator(mode="after")
    def _no_data_set_twice(self) -> "Transfer":
        if len(set(self.datasets)) < len(self.datasets):
            raise ValueError(f"datasets: should name every data set once, not {self.datasets}")
        return self
