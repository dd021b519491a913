"""What hard examples do to the landscape of the loss: trainings of their own, not on subsets."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline_lib.config.experiment import once
from pipeline_lib.config.recipes import Plateau, Recipe
from pipeline_lib.config.section import BASELINES, Positive, Section, Share
from pipeline_lib.errors import one_of

SECTIONS = ("connectivity", "kernel_velocity")  # of `experiments`
Epochs = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class Landscape(Section):
    """What both sections say about their trainings, which see all examples."""

    metric: Annotated[str, Field(description="orders the examples by difficulty")] = "el2n"
    recipe: Annotated[str | None, Field(description="a name under `recipes`; null: the data set's for training")] = None
    epochs: Epochs

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Landscape":
        for key in ("epochs", "groups"):
            once(key, getattr(self, key, []))
        return self

    def check(self, key: str, metrics: list[str], recipes: dict[str, Recipe], own: str) -> None:
        """Check the section against what else the study has.

        Args:
            key: where it stands.
            metrics, recipes: those that are configured.
            own: the data set's recipe for training.

        Raises:
            ValueError: naming the key and what is accepted.
        """
        accepted = [name for name in metrics if name not in BASELINES]
        if self.metric not in accepted:
            raise ValueError(f"{key}.metric: there is no metric {self.metric!r}; accepted: {one_of(accepted)}")
        name = own if self.recipe is None else self.recipe
        if name not in recipes:
            raise ValueError(f"{key}.recipe: there is no recipe {name!r}; accepted: {one_of(recipes)}")
        last = recipes[name].epochs - 1
        if max(self.epochs) > last:
            raise ValueError(
                f"{key}.epochs: should be at most {last}, as the recipe {name} has {last + 1} epochs, not {max(self.epochs)}"
            )


class Connectivity(Landscape):
    """Let two networks part from a common training at several epochs, and look for a barrier between their ends."""

    epochs: Annotated[Epochs, Field(description="after which they part; 0: from the untrained network")] = [0, 1, 2, 4]
    pairs: Annotated[Positive, Field(description="common trainings; from each two networks part per epoch")] = 3
    points: Annotated[int, Field(ge=3, description="on the line between two networks, both ends included")] = 11
    examples: Annotated[Positive, Field(description="in each group: the easiest, those in the middle, the hardest")] = 500

    def check(self, key: str, metrics: list[str], recipes: dict[str, Recipe], own: str) -> None:
        """Check as every section does, and that nothing is held out.

        Raises:
            ValueError: naming the key and what is accepted.
        """
        super().check(key, metrics, recipes, own)
        name = own if self.recipe is None else self.recipe
        if isinstance(recipes[name].schedule, Plateau):
            raise ValueError(
                f"{key}.recipe: {name} has a plateau schedule, for which each of two networks would hold out other examples; "
                "name a recipe with another schedule"
            )


class KernelVelocity(Landscape):
    """Measure how fast the tangent kernel of neighbours in the order of difficulty turns while a network is trained."""

    epochs: Annotated[Epochs, Field(description="after which the velocity is measured, over the epoch that follows")] = [
        *(0, 1, 2, 4)
    ]
    examples: Annotated[int, Field(ge=2, description="neighbours in the order of difficulty that make a group")] = 100
    groups: Annotated[
        list[Share], Field(min_length=1, description="where they stand in the order: 0 holds the easiest, 1 the hardest")
    ] = [0, 0.25, 0.5, 0.75, 1]
    seeds: Annotated[Positive, Field(description="trainings")] = 3
