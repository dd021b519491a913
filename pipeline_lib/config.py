"""The study: `config.yaml` as typed, checked objects. One parse, one place for defaults.

`python -m pipeline_lib.config` prints the JSON schema (kept in workflow/schemas/config.schema.yaml for editors).
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from pipeline_lib import metrics as metric_files
from pipeline_lib.errors import PipelineError, one_of

NAME = r"[A-Za-z0-9][A-Za-z0-9_]*"  # names become folders and file names: no dots, slashes or blanks
MODELS = Literal["small_cnn", "resnet18_cifar", "resnet18", "plain18", "one_conv"]
BASELINES = ("random", "full")  # always drawn, so not names of swept metrics

Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(pattern=f"^{NAME}$")]


class Section(BaseModel):
    """A section of the config file: unknown keys are refused with the list of accepted ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            unknown = [key for key in values if key not in cls.model_fields]
            if unknown:
                raise ValueError(f"unknown key {one_of(map(repr, unknown))}; accepted: {one_of(cls.model_fields)}")
        return values


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


class Recipe(Section):
    """How a model is trained."""

    model: MODELS
    width: Annotated[int, Field(ge=1, description="channels of the first stage of small_cnn")] = 16
    optimiser: Annotated[Adam | Sgd, Field(discriminator="name")]
    schedule: Annotated[Constant | OneCycle | Cosine | Steps | Plateau, Field(discriminator="name")]
    epochs: Positive
    batch: Annotated[int, Field(ge=2)]
    augmentation: Augmentation = Augmentation()
    normalise: Annotated[
        Normalisation | Literal["dataset", "none"], Field(description="`dataset`: mean and std of the training set")
    ] = "dataset"
    precision: Annotated[
        Literal["auto", "float32"], Field(description="`auto`: bfloat16 where a GPU computes in it, else float32")
    ] = "auto"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0


class Swav(Section):
    """Label-free features: SwAV trained on the data set itself."""

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
    threads: Annotated[int, Field(ge=1, description="CPU threads; fixed, so results do not depend on --cores")] = 1


class Ensemble(Section):
    """The trainings that are recorded once."""

    seeds: Positive = 10
    epochs: Positive = 10


class Recipes(Section):
    """Which recipe a data set uses, by purpose."""

    scoring: str = "small"
    training: str = "small"


class DatasetSection(Section):
    """What every data set has, whatever its source."""

    recipes: Recipes = Recipes()
    swav: Annotated[str, Field(description="a name under `swav`")] = "small"
    ensemble: Ensemble | None = None


class Digits(DatasetSection):
    """The 1,797 handwritten digits that ship with scikit-learn."""

    source: Literal["digits"]
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2


class Cifar(DatasetSection):
    """CIFAR-10 or CIFAR-100: a local .npz where there is one, else the official archive."""

    source: Literal["cifar10", "cifar100"]
    npz: Annotated[str | None, Field(description="read instead of downloading when the file exists")] = None


class Npz(DatasetSection):
    """An .npz with train_images (N,H,W,C) uint8, train_labels (N,), test_images, test_labels, class_names."""

    source: Literal["npz"]
    npz: str


class ImageFolder(DatasetSection):
    """A folder that holds one folder of images per class."""

    source: Literal["imagefolder"]
    train: Annotated[str, Field(description="folder of class folders")]
    test: Annotated[str | None, Field(description="same layout; without it a share of `train` is split off")] = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    size: Annotated[int, Field(ge=8, le=1024, description="pixels; images are resized to size x size")] = 64
    fit: Annotated[Literal["crop", "stretch"], Field(description="how a non-square image becomes square")] = "crop"
    obtain: Annotated[str, Field(description="shown when the folder is missing: where to get the images")] = ""


class Derived(DatasetSection):
    """Another data set with a change: fewer examples per class, or wrong labels."""

    base: str
    per_class: Annotated[int | None, Field(ge=1, description="training examples kept of each class, seeded")] = None
    flip_labels: Annotated[float | None, Field(gt=0, lt=1, description="share moved to another class, seeded")] = None


def _kind(value: Any) -> str:
    if isinstance(value, DatasetSection):
        return "derived" if isinstance(value, Derived) else value.source
    return "derived" if isinstance(value, dict) and "base" in value else str((value or {}).get("source"))


SOURCES = ("digits", "cifar10", "cifar100", "npz", "imagefolder")
Dataset = Annotated[
    Annotated[Digits, Tag("digits")]
    | Annotated[Cifar, Tag("cifar10")]
    | Annotated[Cifar, Tag("cifar100")]
    | Annotated[Npz, Tag("npz")]
    | Annotated[ImageFolder, Tag("imagefolder")]
    | Annotated[Derived, Tag("derived")],
    Discriminator(
        _kind,
        custom_error_type="source",
        custom_error_message=f"give `source:` (one of {one_of(SOURCES)}) or `base:` (another data set)",
    ),
]


class SlidingWindow(Section):
    """Train on windows of the examples in the order of their difficulty."""

    size: PositiveShare = 0.4
    starts: Annotated[list[Share], Field(min_length=1)] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    seeds: Annotated[int, Field(ge=1, description="trainings per point")] = 3
    metrics: Annotated[
        list[str] | Literal["all"], Field(description="`all`: every configured metric but the baseline `random`")
    ] = "all"
    missing_classes: Annotated[
        Literal["error", "allow"], Field(description="what to do when a class has no example in a kept subset")
    ] = "error"

    @model_validator(mode="after")
    def _windows_stay_inside(self) -> "SlidingWindow":
        for start in self.starts:
            if start + self.size > 1 + 1e-9:
                raise ValueError(
                    f"the window {start} + {self.size} leaves the data; starts must be at most {round(1 - self.size, 10)}"
                )
        if len(set(self.starts)) != len(self.starts):
            raise ValueError("a start is given twice")
        return self


class Experiments(Section):
    """Every experiment has a section of its own."""

    sliding_window: SlidingWindow = SlidingWindow()


class Study(Section):
    """Everything in one config file."""

    seed: Annotated[int, Field(ge=0, description="all randomness derives from it")] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    swav: dict[Name, Swav] = {}
    ensemble: Ensemble = Ensemble()
    metrics: Annotated[dict[Name, dict[str, Any]], Field(min_length=1)]
    experiments: Experiments = Experiments()

    @field_validator("metrics", mode="before")
    @classmethod
    def _bare_names_have_no_parameters(cls, value: Any) -> Any:
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _names_exist(self) -> "Study":
        for name, dataset in self.datasets.items():
            for purpose, recipe in dataset.recipes:
                _known(recipe, self.recipes, f"datasets.{name}.recipes.{purpose}", "recipe")
            _known(dataset.swav, self.swav, f"datasets.{name}.swav", "swav section")
            if isinstance(dataset, Derived):
                self._check_bases(name)
        for name in self.metrics:
            if name == "full":
                raise ValueError("metrics.full: the name is taken by the baseline")
            self._check_metric(name)
        swept = self.experiments.sliding_window.metrics
        for name in [] if swept == "all" else swept:
            accepted = [known for known in self.metrics if known not in BASELINES]
            _known(name, accepted, "experiments.sliding_window.metrics", "metric")
        return self

    def _check_bases(self, name: str) -> None:
        seen = [name]
        while isinstance(self.datasets[seen[-1]], Derived):
            base = self.datasets[seen[-1]].base
            _known(base, self.datasets, f"datasets.{seen[-1]}.base", "data set")
            if base in seen:
                raise ValueError(f"datasets.{name}.base: {' -> '.join([*seen, base])} is a circle")
            seen.append(base)

    def _check_metric(self, name: str) -> None:
        given = self.metrics[name]
        function = given.get("function", name)
        _known(function, metric_files.names(), f"metrics.{name}" + (".function" if "function" in given else ""), "metric")
        accepted = metric_files.parameters(function)
        for key, value in given.items():
            if key == "function":
                continue
            if key not in accepted:
                raise ValueError(f"metrics.{name}.{key}: unknown; accepted: {one_of(['function', *accepted])}")
            try:
                metric_files.check(function, key, value)
            except ValueError as error:
                raise ValueError(f"metrics.{name}.{key}: {error}") from None

    def metric_function(self, metric: str) -> str:
        """Return the name of the file in pipeline_lib/metrics that computes a configured metric."""
        return self.metrics[metric].get("function", metric)

    def metric_parameters(self, metric: str) -> dict[str, Any]:
        """Return every parameter of a configured metric, defaults filled in."""
        given = {key: value for key, value in self.metrics[metric].items() if key != "function"}
        return metric_files.parameters(self.metric_function(metric)) | given

    def ensemble_of(self, dataset: str) -> Ensemble:
        """Return the ensemble of a data set: its own section, or the study's."""
        return self.datasets[dataset].ensemble or self.ensemble

    def swept_metrics(self) -> list[str]:
        """Return the metrics that the sliding window draws."""
        swept = self.experiments.sliding_window.metrics
        return [name for name in self.metrics if name not in BASELINES] if swept == "all" else list(swept)


def _known(name: str, accepted, key: str, what: str) -> None:
    if name not in accepted:
        raise ValueError(f"{key}: there is no {what} {name!r}; accepted: {one_of(accepted)}")


def parse_study(values: dict) -> Study:
    """Check a parsed config file and return it as objects.

    Raises:
        PipelineError: one line for each thing that is wrong, with its key and what is accepted.
    """
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        lines = "\n".join(f"  {_readable(item)}" for item in error.errors())
        raise PipelineError(f"config.yaml is not valid:\n{lines}") from None


def _readable(item: dict) -> str:
    """One line for one pydantic error: key: message (the value found)."""
    tags = {"derived", "adam", "sgd", "constant", "onecycle", "cosine", "steps", "plateau", *SOURCES}
    path = [str(part) for n, part in enumerate(item["loc"]) if n < 2 or part not in tags]
    path = [part for part in path if not re.match(r"(list|literal|constrained|Normalisation)\b", part)]
    message = item["msg"].removeprefix("Value error, ").replace("Input should", "should").replace("Field required", "missing")
    if item["type"] in ("value_error", "missing", "source"):
        return f"{'.'.join(path)}: {message}" if path else message
    return f"{'.'.join(path)}: {message}, not {item['input']!r}"


def plain(section: BaseModel) -> dict:
    """Return a section as plain values, for `params`, fingerprints and file attributes."""
    return section.model_dump(mode="json")


def schema_text() -> str:
    """Return the JSON schema of the config file as YAML."""
    import yaml

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
    return "# Generated by `python -m pipeline_lib.config`; a test holds the two together.\n" + yaml.safe_dump(schema, sort_keys=False)


if __name__ == "__main__":
    print(schema_text(), end="")
