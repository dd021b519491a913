"""The experiments: which subsets are trained on, how often, and by which metrics."""

from typing import Annotated, Literal, get_args

from pydantic import Field, Tag, model_validator

from pipeline_lib.config.balance import PruningImbalanced
from pipeline_lib.config.diet import ScoreEpoch, SeedCounts, Transfer
from pipeline_lib.config.experiment import Experiment, InnerShare, Trained
from pipeline_lib.config.labels import Relabel
from pipeline_lib.config.landscape import Connectivity, KernelVelocity
from pipeline_lib.config.robustness import Robustness
from pipeline_lib.config.section import Positive, PositiveShare, Section, Share, word_or
from pipeline_lib.config.variants import Balancing, RecipeSweep, Variants

Clusters = Annotated[
    Annotated[Positive, Tag("(other)")] | Annotated[Literal["classes", "elbow"], Tag("(word)")],
    word_or(int, ("classes", "elbow"), "a number of clusters"),
]


class SlidingWindow(Experiment):
    """Train on windows of the examples in the order of their difficulty."""

    size: PositiveShare = 0.4
    starts: Annotated[list[Share], Field(min_length=1)] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]

    @model_validator(mode="after")
    def _windows_fit(self) -> "SlidingWindow":
        for start in self.starts:
            if start + self.size > 1 + 1e-9:
                raise ValueError(
                    f"the window {start} + {self.size} leaves the data; starts must be at most {round(1 - self.size, 10)}"
                )
        return self


class Prune(Experiment):
    """Leave growing shares of the examples out: the easiest (prune_easiest) or the hardest (prune_hardest)."""

    shares: Annotated[list[InnerShare], Field(min_length=1, description="pruned")] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


class PruneStratified(Prune):
    """Coverage-centric selection: drop the hardest `cutoff`, then spread the budget over strata of equal width."""

    shares: Annotated[list[InnerShare], Field(min_length=1, description="pruned")] = [0.3, 0.5, 0.7, 0.8, 0.9]
    strata: Positive = 50
    cutoffs: Annotated[
        list[Annotated[float, Field(ge=0, lt=1)]],
        Field(description="for each of the shares, the share of the hardest examples never taken"),
    ] = [0, 0, 0.1, 0.1, 0.3]  # those of the source for CIFAR-10

    @model_validator(mode="after")
    def _enough_is_left(self) -> "PruneStratified":
        if len(self.cutoffs) != len(self.shares):
            raise ValueError(f"cutoffs: {len(self.cutoffs)} for {len(self.shares)} shares; give one for each")
        for share, cutoff in zip(self.shares, self.cutoffs, strict=True):
            if share < cutoff - 1e-9:
                raise ValueError(f"shares: {share} is less than the cutoff {cutoff} that is pruned anyway")
        return self


class PruneFixed(Experiment):
    """Leave one share of the easiest out and follow the test accuracy from epoch to epoch."""

    share: InnerShare = 0.5


class ClusterCounts(Experiment):
    """Prune the easiest by `km` with several numbers of clusters."""

    metrics: Literal["all"] = "all"  # its metrics are the numbers of clusters
    k: Annotated[list[Clusters], Field(min_length=1, description="numbers of clusters")] = [5, "classes", 100, "elbow"]
    features: Literal["prototypes", "backbone"] = "prototypes"
    shares: Annotated[list[InnerShare], Field(min_length=1, description="pruned")] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


class Curriculum(Experiment):
    """Begin with the easiest or the hardest examples and add the others bit by bit, as many steps as on all data."""

    begin: Annotated[InnerShare, Field(description="share of the examples in the first epochs")] = 0.5
    add: Annotated[InnerShare, Field(description="share added each time")] = 0.1
    every: Annotated[
        int | None, Field(ge=1, description="epochs between two additions; without it, the first half of all epochs is divided")
    ] = None
    budget: list[Literal["steps"]] = ["steps"]


class LabelNoise(Section):
    """The sliding window beside that of the same data with wrong labels, and how well metrics find these."""

    noisy: Annotated[str | None, Field(description="the data set with the wrong labels: `base:` this one, and `flip_labels:`")] = (
        None
    )
    kinds: Annotated[list[str], Field(description="data sets with wrong labels of several kinds, for `noise_cutoff`")] = []


class Experiments(Section):
    """Every experiment has a section of its own; a data set may change single keys under its own `experiments:`."""

    sliding_window: SlidingWindow = SlidingWindow()
    prune_easiest: Prune = Prune()
    prune_hardest: Prune = Prune()
    prune_fixed: PruneFixed = PruneFixed()
    prune_stratified: PruneStratified = PruneStratified()
    clusters: ClusterCounts = ClusterCounts()
    curriculum: Curriculum = Curriculum()
    label_noise: LabelNoise = LabelNoise()
    # beyond the thesis; null: not done
    relabel: Relabel | None = None
    pruning_imbalanced: PruningImbalanced | None = None
    imbalance: Balancing | None = None
    sweep: RecipeSweep | None = None
    robustness: Robustness | None = None
    connectivity: Connectivity | None = None
    kernel_velocity: KernelVelocity | None = None
    score_epoch: ScoreEpoch | None = None
    seeds: SeedCounts | None = None
    transfer: Transfer | None = None


def _is_a(kind: type, annotation: type) -> bool:
    """Whether a section is of a kind; one that may be null counts as what it is otherwise."""
    return any(issubclass(each, kind) for each in get_args(annotation) or (annotation,))


SWEPT = tuple(name for name, field in Experiments.model_fields.items() if _is_a(Trained, field.annotation))
VARIED = tuple(name for name, field in Experiments.model_fields.items() if _is_a(Variants, field.annotation))
BEYOND = tuple(name for name, field in Experiments.model_fields.items() if field.default is None)  # of the thesis: off unless named
# ask which part to keep, so that no part (another random one in every epoch) is an answer too
REPEATED_IN = ("sliding_window", "prune_easiest", "prune_hardest", "prune_fixed", "prune_stratified")
ENSEMBLE_EXPERIMENTS = ("score_epoch", "seeds", "transfer")  # sweep metrics that read the ensemble, under names of their own
