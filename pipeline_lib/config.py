"""The study: `config.yaml` as typed, checked objects. One parse, one place for defaults.

`python -m pipeline_lib.config` prints the JSON schema (kept in workflow/schemas/config.schema.yaml for editors).
"""

import os
import reprlib
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

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

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, values: Any) -> Any:
        if isinstance(values, cls):
            return values
        if not isinstance(values, dict):
            raise ValueError(f"should be a section with the keys {one_of(cls.model_fields)}, not {_found(values)}")
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise ValueError(f"unknown key {one_of(map(repr, unknown))}; accepted: {one_of(cls.model_fields)}")
        for key, value in values.items():  # pydantic would read `true` as 1
            if isinstance(value, bool) and cls.model_fields[key].annotation in (int, float, int | None, float | None):
                raise ValueError(f"{key} should be a number, not {value}")
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


def _word_or(kinds: type | tuple[type, ...], words: tuple[str, ...], what: str) -> Discriminator:
    """Choose "(word)" or "(other)"."""

    def tag(value: Any) -> str | None:
        if isinstance(value, str) and value in words:
            return "(word)"
        return "(other)" if isinstance(value, kinds) else None

    return Discriminator(tag, custom_error_type="choice", custom_error_message=f"should be {one_of(words)} or {what}")


def _by_name(*names: str) -> Discriminator:
    """Choose the section whose `name` is given."""

    def tag(value: Any) -> str:
        return f"({value.get('name') if isinstance(value, dict) else getattr(value, 'name', None)})"

    message = f"should be a section with `name:` one of {one_of(names)}"
    return Discriminator(tag, custom_error_type="choice", custom_error_message=message)


Optimiser = Annotated[Annotated[Adam, Tag("(adam)")] | Annotated[Sgd, Tag("(sgd)")], _by_name("adam", "sgd")]
Schedule = Annotated[
    Annotated[Constant, Tag("(constant)")]
    | Annotated[OneCycle, Tag("(onecycle)")]
    | Annotated[Cosine, Tag("(cosine)")]
    | Annotated[Steps, Tag("(steps)")]
    | Annotated[Plateau, Tag("(plateau)")],
    _by_name("constant", "onecycle", "cosine", "steps", "plateau"),
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
        _word_or((dict, Normalisation), ("dataset", "none"), "a section with mean and std"),
        Field(description="`dataset`: mean and std of the training set"),
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

    @field_validator("elbow")
    @classmethod
    def _elbow_has_a_bend(cls, value: list[int]) -> list[int]:
        if value[1] < value[0] + 2:
            raise ValueError(f"should be a smallest and a largest number, at least 2 apart, not {value}")
        return value


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
    train: Annotated[str, Field(min_length=1, description="folder of class folders")]
    test: Annotated[str | None, Field(description="same layout; without it a share of `train` is split off")] = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    size: Annotated[int, Field(ge=8, le=1024, description="pixels; images are resized to size x size")] = 64
    fit: Annotated[Literal["crop", "stretch"], Field(description="how a non-square image becomes square")] = "crop"
    obtain: Annotated[str, Field(description="shown when the folder is missing: where to get the images")] = ""

    @model_validator(mode="after")
    def _test_is_another_folder(self) -> "ImageFolder":
        if self.test and os.path.normpath(self.test) == os.path.normpath(self.train):
            raise ValueError(f"test and train are the same folder {self.train}; leave `test` out to split a share off")
        return self


class Derived(DatasetSection):
    """Another data set with a change: fewer examples per class, or wrong labels."""

    base: str
    per_class: Annotated[int | None, Field(ge=1, description="training examples kept of each class, seeded")] = None
    flip_labels: Annotated[float | None, Field(gt=0, lt=1, description="share moved to another class, seeded")] = None


def _source(value: Any) -> str | None:
    if isinstance(value, DatasetSection):
        return "(derived)" if isinstance(value, Derived) else f"({value.source})"
    if not isinstance(value, dict) or ("base" in value and "source" in value):
        return None
    return "(derived)" if "base" in value else f"({value.get('source')})"


SOURCES = ("digits", "cifar10", "cifar100", "npz", "imagefolder")
Dataset = Annotated[
    Annotated[Digits, Tag("(digits)")]
    | Annotated[Cifar, Tag("(cifar10)")]
    | Annotated[Cifar, Tag("(cifar100)")]
    | Annotated[Npz, Tag("(npz)")]
    | Annotated[ImageFolder, Tag("(imagefolder)")]
    | Annotated[Derived, Tag("(derived)")],
    Discriminator(
        _source,
        custom_error_type="choice",
        custom_error_message=f"should have either `source:` one of {one_of(SOURCES)}, or `base:` another data set",
    ),
]


class SlidingWindow(Section):
    """Train on windows of the examples in the order of their difficulty."""

    size: PositiveShare = 0.4
    starts: Annotated[list[Share], Field(min_length=1)] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    seeds: Annotated[int, Field(ge=1, description="trainings per point")] = 3
    metrics: Annotated[
        Annotated[list[str], Field(min_length=1), Tag("(other)")] | Annotated[Literal["all"], Tag("(word)")],
        _word_or(list, ("all",), "a list of metrics"),
        Field(description="`all`: every configured metric but the baseline `random`"),
    ] = "all"
    missing_classes: Annotated[
        Literal["error", "allow"], Field(description="what to do when a class has no example in a kept subset")
    ] = "error"

    @model_validator(mode="after")
    def _windows_fit_and_differ(self) -> "SlidingWindow":
        for start in self.starts:
            if start + self.size > 1 + 1e-9:
                raise ValueError(
                    f"the window {start} + {self.size} leaves the data; starts must be at most {round(1 - self.size, 10)}"
                )
        for key, values in (("starts", self.starts), ("metrics", [] if self.metrics == "all" else self.metrics)):
            for position, value in enumerate(values):
                if value in values[:position]:
                    raise ValueError(f"{key}: {value} is given twice")
        return self


class Experiments(Section):
    """Every experiment has a section of its own."""

    sliding_window: SlidingWindow = SlidingWindow()


# a metric's bare name has no parameters
Parameters = Annotated[
    dict[str, Any], BeforeValidator(lambda value: {} if value is None else value, json_schema_input_type=dict[str, Any] | None)
]


class Study(Section):
    """Everything in one config file."""

    seed: Annotated[int, Field(ge=0, description="all randomness derives from it")] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    recipes: Annotated[dict[Name, Recipe], Field(min_length=1)]
    swav: dict[Name, Swav] = {}
    ensemble: Ensemble = Ensemble()
    metrics: Annotated[dict[Name, Parameters], Field(min_length=1)]
    experiments: Experiments = Experiments()

    @model_validator(mode="after")
    def _names_exist(self) -> "Study":
        for name, dataset in self.datasets.items():
            for purpose, recipe in dataset.recipes:
                _known(recipe, self.recipes, f"datasets.{name}.recipes.{purpose}", "recipe")
            _known(dataset.swav, self.swav, f"datasets.{name}.swav", "swav section")
            if isinstance(dataset, Derived):
                self._check_bases(name)
        for name in self.metrics:
            if name in BASELINES and self.metric_function(name) != "random":
                raise ValueError(f"metrics.{name}: the name is taken by the baseline; choose another")
            self._check_metric(name)
        swept = self.experiments.sliding_window.metrics
        for name in [] if swept == "all" else swept:
            if name in BASELINES:
                raise ValueError(f"experiments.sliding_window.metrics: {name} is a baseline and always drawn; leave it out")
            accepted = [known for known in self.metrics if known not in BASELINES]
            _known(name, accepted, "experiments.sliding_window.metrics", "metric")
        return self

    def _check_bases(self, name: str) -> None:
        seen = [name]
        while isinstance(self.datasets[seen[-1]], Derived):
            base = self.datasets[seen[-1]].base
            _known(base, self.datasets, f"datasets.{seen[-1]}.base", "data set")
            if base in seen:
                raise ValueError(f"datasets.{name}.base: {' -> '.join([*seen, base])} is a circle; name another data set")
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
        self._check_recorded(name, given.get("epoch"))

    def _check_recorded(self, name: str, epoch: Any) -> None:
        shortest = min(self.datasets, key=lambda dataset: self.ensemble_of(dataset).epochs)
        recorded = self.ensemble_of(shortest).epochs
        if isinstance(epoch, int) and epoch > recorded:
            raise ValueError(
                f"metrics.{name}.epoch: should be at most {recorded}, the epochs of the ensemble of {shortest}, not {epoch}"
            )

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


# what the config file should have instead, by how pydantic's error types begin
_WANTED = {
    "int_": "should be a whole number",
    "float_": "should be a number",
    "finite_": "should be a finite number",
    "bool_": "should be true or false",
    "string_": "should be text",
    "list_": "should be a list",
    "dict_": "should be a section of keys",
    "greater_than_equal": "should be at least {ge:g}",
    "greater_than": "should be greater than {gt:g}",
    "less_than_equal": "should be at most {le:g}",
    "less_than": "should be less than {lt:g}",
    "literal_": "should be {expected}",
    "too_short": "should hold {min_length} or more",
    "too_long": "should hold {max_length} or fewer",
}


def _readable(item: dict) -> str:
    """One line for one pydantic error: key: what is accepted, what was found."""
    path = [str(part) for position, part in enumerate(item["loc"]) if position < 2 or not str(part).startswith("(")]
    if path[-1:] == ["[key]"]:
        rule = "letters, digits and _, the first no _" if isinstance(item["input"], str) else "text (put it in quotes)"
        return f"{'.'.join(path[:-2])}: {item['input']!r} is not a name; accepted: {rule}"
    where = f"{'.'.join(path)}: " if path else ""
    if item["type"] == "missing":
        return f"{where}must be given"
    if item["type"] == "value_error":
        return where + item["msg"].removeprefix("Value error, ")
    wanted = next((text for kind, text in _WANTED.items() if item["type"].startswith(kind)), None)
    wanted = item["msg"] if wanted is None else wanted.format(**item.get("ctx", {}))
    return f"{where}{wanted}, not {_found(item['input'], chosen_by=item['type'] == 'choice')}"


def _found(value: Any, chosen_by: bool = False) -> str:
    """The value found, shortened; of a section that could not be chosen only the keys that choose."""
    if chosen_by and isinstance(value, dict):
        value = {key: value[key] for key in ("name", "source", "base") if key in value}
    return reprlib.repr(value) if value or value == 0 else "nothing"


def plain(section: BaseModel) -> dict:
    """Return a section as plain values, for `params`, fingerprints and file attributes."""
    return section.model_dump(mode="json")


def schema_text() -> str:
    """Return the JSON schema of the config file as YAML."""
    import yaml

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Study.model_json_schema()}
    return "# Generated by `python -m pipeline_lib.config`; a test holds the two together.\n" + yaml.safe_dump(
        schema, sort_keys=False
    )


if __name__ == "__main__":
    print(schema_text(), end="")
