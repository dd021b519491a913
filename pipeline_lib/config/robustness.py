"""The experiment `robustness`: how test images are changed so that networks err, and which trainings are put to that test."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline_lib.config.experiment import InnerShare, Metrics, once
from pipeline_lib.config.section import Name, Positive, Section, Share
from pipeline_lib.errors import PipelineError, one_of

LONGEST_STEP = 2  # shares of epsilon: from one end of what is allowed to the other


class Attack(Section):
    """Steps up the gradient of the loss in the pixels; as it stands, one whole step (FGSM)."""

    norm: Annotated[
        Literal["linf", "l2"],
        Field(description="what epsilon bounds: linf, the change of every pixel; l2, the Euclidean length of the whole change"),
    ] = "linf"
    steps: Positive = 1
    step: Annotated[float, Field(gt=0, le=LONGEST_STEP, description="length of a step, as a share of epsilon")] = 1
    random_start: Annotated[bool, Field(description="begin at a random change within epsilon instead of at the image")] = False
    restarts: Annotated[int, Field(ge=1, description="random starts; of each image the one that fools most counts")] = 1
    epsilons: Annotated[
        list[Annotated[float, Field(ge=0)]] | None, Field(min_length=1, description="its own, instead of the experiment's")
    ] = None

    @model_validator(mode="after")
    def _goes_somewhere(self) -> "Attack":
        if self.steps * self.step < 1 - 1e-9:
            raise ValueError(f"{self.steps} steps of {self.step} of epsilon never reach epsilon; give more or longer ones")
        if self.restarts > 1 and not self.random_start:
            raise ValueError("restarts: begin all at the same point; set `random_start: true`, or leave them out")
        once("epsilons", self.epsilons or [])
        for epsilon in self.epsilons or []:
            if self.norm == "linf" and epsilon > 1:
                raise ValueError(f"epsilons: {epsilon} is more than 1, which makes a black pixel white")
        return self


class Robustness(Section):
    """Attack the networks of `prune_easiest`, those on random subsets and those on all data; nothing else is trained."""

    attacks: Annotated[dict[Name, Attack], Field(min_length=1, description="by any name")] = {
        "fgsm": Attack(),
        "pgd": Attack(steps=10, step=0.25, random_start=True),
    }
    epsilons: Annotated[list[Share], Field(min_length=1, description="pixels run from 0 to 1; 0, no attack, is always there")] = [
        *(0, 0.025, 0.05, 0.1)
    ]
    shares: Annotated[list[InnerShare], Field(min_length=1, description="pruned, some of those of prune_easiest")] = [0.3, 0.5]
    metrics: Annotated[Metrics, Field(description="some of those of prune_easiest; `all`: all of them")] = "all"
    seeds: Annotated[int, Field(ge=1, description="trainings per point, at most those of prune_easiest")] = 3

    @model_validator(mode="after")
    def _nothing_twice(self) -> "Robustness":
        for key in ("epsilons", "shares", "metrics"):
            if isinstance(getattr(self, key), list):
                once(key, getattr(self, key))
        for attack in self.attacks:
            if self.epsilons_of(attack) == [0]:
                raise ValueError(f"epsilons: 0 alone is no attack; give {attack} at least one above 0")
        return self

    def check(self, where: str, shares: list[float], metrics: list[str], seeds: int) -> None:
        """Refuse to attack what prune_easiest does not train.

        Args:
            where: the section's key, for the messages.
            shares, metrics, seeds: what prune_easiest has, its metrics by name.

        Raises:
            ValueError: naming the key and what is accepted.
        """
        asked = [] if self.metrics == "all" else self.metrics
        for key, wanted, trained in (("shares", self.shares, shares), ("metrics", asked, metrics)):
            for value in wanted:
                if value not in trained:
                    raise ValueError(
                        f"{where}.{key}: {value} is not among the {key} of prune_easiest, whose networks are attacked; "
                        f"accepted: {one_of(trained)}"
                    )
        if self.seeds > seeds:
            raise ValueError(f"{where}.seeds: should be at most {seeds}, the seeds of prune_easiest, not {self.seeds}")

    def check_lengths(self, where: str, pixels: int) -> None:
        """Refuse a change that is longer than the way from a black image to a white one.

        Args:
            where: the section's key, for the messages.
            pixels: numbers that an image consists of, channels included.

        Raises:
            PipelineError: naming the attack and what is accepted.
        """
        longest = pixels**0.5
        for name, attack in self.attacks.items():
            largest = self.epsilons_of(name)[-1]
            if attack.norm == "l2" and largest > longest:
                raise PipelineError(
                    f"{where}.attacks.{name}: epsilon should be at most {longest:.3g}, the distance from a black image to a white "
                    f"one of {pixels:,} pixels, not {largest:g}"
                )

    def epsilons_of(self, attack: str) -> list[float]:
        """Return the bounds of an attack in ascending order, 0 first."""
        return sorted({0.0, *map(float, self.attacks[attack].epsilons or self.epsilons)})
