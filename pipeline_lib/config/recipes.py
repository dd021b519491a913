"""How models are trained: recipes, the SwAV section, the ensemble."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, Tag, field_validator, model_validator

from pipeline_lib.config.section import MODELS, Positive, Section, Share, by_name, word_or

Balance = Literal["none", "weighted_loss", "sampler", "logit_adjustment"]


class Augmentation(Section):
    """Random changes of a training image, drawn anew for every example and epoch."""

    crop_padding: Annotated[int, Field(ge=0, description="pixels of reflected border around a random crop")] = 0
    flip: Annotated[bool, Field(description="mirror half of the images left to right")] = False
    rotation: Annotated[float, Field(ge=0, le=180, description="degrees either way; corners become black")] = 0


class Adam(Section):
    """Adam; with weight decay it is the decoupled one (AdamW)."""

    name: Literal["adam"]
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0


class Sgd(Section):
    """Stochastic gradient descent."""

    name: Literal["sgd"]
    lr: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Sgd":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum greater than 0")
        return self


class Constant(Section):
    """The learning rate stays."""

    name: Literal["constant"]


class OneCycle(Section):
    """Linear warm-up over a share of all steps, then linear descent to zero."""

    name: Literal["onecycle"]
    warmup: Share = 0.25


class Cosine(Section):
    """Linear warm-up over a share of all steps, then a half cosine to zero."""

    name: Literal["cosine"]
    warmup: Share = 0.05


class Steps(Section):
    """Multiply the learning rate by `factor` after each of the given epochs."""

    name: Literal["steps"]
    epochs: list[Positive]
    factor: Annotated[float, Field(gt=0, lt=1)]


class Plateau(Section):
    """Multiply by `factor` once the validation loss has not improved for more than `patience` epochs.

    The validation examples are split off the training set, never the test set.
    """

    name: Literal["plateau"]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    patience: Annotated[int, Field(ge=0)] = 2
    min_lr: Annotated[float, Field(ge=0)] = 1e-7
    validation: Annotated[float, Field(gt=0, lt=1, description="share of the kept examples held out")] = 0.1


class Normalisation(Section):
    """Per channel, on pixels scaled to 0..1."""

    mean: list[float]
    std: list[Annotated[float, Field(gt=0)]]

    @model_validator(mode="after")
    def _one_number_per_channel(self) -> "Normalisation":
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} numbers, std has {len(self.std)}; give each one per channel")
        return self


# Each choice below looks at the value before pydantic does, so that a wrong value gives one message and not one per choice.
# The tags stand in brackets: they turn up in the paths of pydantic's errors, where no key of the config file may look alike.


Optimiser = Annotated[Annotated[Adam, Tag("(adam)")] | Annotated[Sgd, Tag("(sgd)")], by_name("adam", "sgd")]
Schedule = Annotated[
    Annotated[Constant, Tag("(constant)")]
    | Annotated[OneCycle, Tag("(onecycle)")]
    | Annotated[Cosine, Tag("(cosine)")]
    | Annotated[Steps, Tag("(steps)")]
    | Annotated[Plateau, Tag("(plateau)")],
    by_name("constant", "onecycle", "cosine", "steps", "plateau"),
]


Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    Field(
        description="`auto`: bfloat16 where a GPU computes in it, and on a CPU with AVX-512 BF16 where a step is long enough to "
        "gain by it; else float32"
    ),
]


class Recipe(Section):
    """How a model is trained."""

    model: MODELS
    width: Annotated[int, Field(ge=1, description="channels of the first stage of small_cnn")] = 16
    optimiser: Optimiser
    schedule: Schedule
    epochs: Positive
    batch: Annotated[int, Field(ge=2)]
    augmentation: Augmentation = Augmentation()
    normalise: Annotated[
        Annotated[Normalisation, Tag("(other)")] | Annotated[Literal["dataset", "none"], Tag("(word)")],
        word_or((dict, Normalisation), ("dataset", "none"), "a section with mean and std"),
        Field(description="`dataset`: mean and std of the training set"),
    ] = "dataset"
    precision: Precision = "auto"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0
    balance: Annotated[
        Balance,
        Field(description="makes up for unequal classes: by weights of the loss, equal shares of every epoch, or margins"),
    ] = "none"
    tau: Annotated[float, Field(gt=0, description="strength of `logit_adjustment`: factor on the log of the classes' shares")] = 1

    @model_validator(mode="after")
    def _smoothing_knows_no_margins(self) -> "Recipe":
        if self.balance == "logit_adjustment" and self.label_smoothing:
            raise ValueError(
                f"label_smoothing of {self.label_smoothing} with balance: logit_adjustment would pull every image towards the rare "
                "classes; set label_smoothing to 0, or balance to weighted_loss"
            )
        return self


class Swav(Section):
    """Label-free features: SwAV trained on the data set itself."""

    VIEWS: ClassVar[int] = 2  # of every image in a step

    model: MODELS = "small_cnn"
    width: Positive = 16
    epochs: Positive = 60
    batch: Annotated[int, Field(ge=2)] = 128
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-6
    hidden: Annotated[int, Field(ge=1, description="hidden width of the projection head")] = 128
    projection: Annotated[int, Field(ge=1, description="dimension in which prototypes live")] = 64
    prototypes: Annotated[int, Field(ge=2)] = 30
    min_scale: Annotated[float, Field(gt=0, le=1, description="smallest share of the image area in a crop")] = 0.3
    rotation: Annotated[float, Field(ge=0, le=180, description="degrees either way")] = 0
    flip: bool = False
    colour: Annotated[float, Field(ge=0, description="strength of colour jitter (0: none); needs 3 channels")] = 0
    knn: Annotated[int, Field(ge=1, description="neighbours of the logged accuracy")] = 10
    log_every: Annotated[int, Field(ge=1, description="epochs between two logged accuracies")] = 10
    elbow: Annotated[
        list[Annotated[int, Field(ge=2)]],
        Field(min_length=2, max_length=2, description="smallest and largest number of clusters tried for `k: elbow`"),
    ] = [2, 60]
    precision: Precision = "auto"
    threads: Annotated[int, Field(ge=1, description="CPU threads; fixed, so results do not depend on --cores")] = 1

    @field_validator("elbow")
    @classmethod
    def _elbow_has_a_bend(cls, value: list[int]) -> list[int]:
        if value[1] < value[0] + 2:
            raise ValueError(f"should be a smallest and a largest number, at least 2 apart, not {value}")
        return value


class GrandFull(Section):
    """When the norm of each example's whole gradient is recorded: each time about as long as an epoch of training."""

    epochs: Annotated[
        list[Annotated[int, Field(ge=0)]],
        Field(min_length=1, description="after how many epochs of the ensemble; 0: the untrained networks"),
    ]
    layers: Annotated[
        Annotated[list[str], Field(min_length=1), Tag("(other)")] | Annotated[Literal["all"], Tag("(word)")],
        word_or(list, ("all",), "a list of patterns of layers' names, such as layer4.*"),
        Field(description="whose gradients are in the norm: `all`, or patterns of names such as fc and layer4.*"),
    ] = "all"
    precision: Annotated[
        Literal["float32", "bfloat16"],
        Field(description="bfloat16: in less than half the time where the processor has arithmetic for it, norms off by under 1%"),
    ] = "float32"

    @field_validator("epochs")
    @classmethod
    def _no_epoch_twice(cls, value: list[int]) -> list[int]:
        if len(set(value)) < len(value):
            raise ValueError(f"should name every number once, not {value}")
        return value


class Ensemble(Section):
    """The trainings that are recorded once."""

    seeds: Positive = 10
    epochs: Positive = 10
    grand_full: Annotated[GrandFull | None, Field(description="null: not recorded")] = None

    @model_validator(mode="after")
    def _gradients_of_trained_epochs(self) -> "Ensemble":
        late = [epoch for epoch in (self.grand_full.epochs if self.grand_full else []) if epoch > self.epochs]
        if late:
            raise ValueError(f"grand_full.epochs: {late[0]} is more than the {self.epochs} epochs that are trained")
        return self
