"""Where images and labels come from, and which recipes they are trained with."""

import os
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from pipeline_lib.config.experiments import Experiments
from pipeline_lib.config.recipes import Ensemble
from pipeline_lib.config.section import Section, word_or
from pipeline_lib.errors import one_of

File = Annotated[str, AfterValidator(os.path.expanduser)]  # ~ is the user's home


class Recipes(Section):
    """Which recipe a data set uses, by purpose."""

    scoring: str = "small"
    training: str = "small"
    threshold: Annotated[
        str | None, Field(description="of the trainings with threshold examples; null: no learned cut-off for wrong labels")
    ] = None


class DatasetSection(Section):
    """What every data set has, whatever its source."""

    recipes: Recipes = Recipes()
    swav: Annotated[str | None, Field(description="a name under `swav`; null: no label-free features, and so no km")] = "small"
    ensemble: Ensemble | None = None
    experiments: Annotated[Experiments | None, Field(description="laid over the study's, key by key")] = None


class Digits(DatasetSection):
    """The 1,797 handwritten digits that ship with scikit-learn."""

    source: Literal["digits"]
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2


class Cifar(DatasetSection):
    """CIFAR-10 or CIFAR-100: a local .npz where there is one, else the official archive."""

    source: Literal["cifar10", "cifar100"]
    npz: Annotated[File | None, Field(description="read instead of downloading when the file exists")] = None


class Npz(DatasetSection):
    """An .npz with train_images (N,H,W,C) uint8, train_labels (N,), test_images, test_labels, class_names and true_labels (N,)."""

    source: Literal["npz"]
    npz: File
    true_labels: Annotated[bool, Field(description="it has true_labels (N,) as well; train_labels are the given ones")] = False


class ImageFolder(DatasetSection):
    """A folder that holds one folder of images per class."""

    source: Literal["imagefolder"]
    train: Annotated[File, Field(min_length=1, description="folder of class folders")]
    test: Annotated[File | None, Field(description="same layout; without it a share of `train` is split off")] = None
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    size: Annotated[int, Field(ge=8, le=1024, description="pixels; images are resized to size x size")] = 64
    fit: Annotated[Literal["crop", "stretch"], Field(description="how a non-square image becomes square")] = "crop"
    obtain: Annotated[str, Field(description="shown when the folder is missing: where to get the images")] = ""

    @model_validator(mode="after")
    def _test_is_another_folder(self) -> "ImageFolder":
        if self.test and os.path.normpath(self.test) == os.path.normpath(self.train):
            raise ValueError(f"test and train are the same folder {self.train}; leave `test` out to split a share off")
        return self


Counts = dict[str, Annotated[int, Field(ge=1)]]


class Imbalance(Section):
    """Unequal classes: so many examples of each that is named, or a ratio of the largest to the smallest."""

    counts: Annotated[Counts | None, Field(min_length=2, description="class -> training examples; others are left out")] = None
    ratio: Annotated[float | None, Field(ge=1, description="examples of the largest class to those of the smallest")] = None
    profile: Annotated[
        Literal["exponential", "step"], Field(description="how sizes fall from class to class, or half of the classes are small")
    ] = "exponential"
    test: Annotated[
        Annotated[Counts, Tag("(other)")] | Annotated[Literal["proportional", "none"], Tag("(word)")],
        word_or(dict, ("proportional", "none"), "a number of images for each class"),
        Field(description="the second test set, drawn from the first: as unequal as the training examples, or images per class"),
    ] = "proportional"

    @model_validator(mode="after")
    def _one_way(self) -> "Imbalance":
        if (self.counts is None) == (self.ratio is None):
            raise ValueError("should have either `counts:` for each class, or a `ratio:`")
        if isinstance(self.test, dict) and self.counts is not None and set(self.test) != set(self.counts):
            raise ValueError(f"test: should name the classes of counts ({one_of(self.counts)}), not {one_of(self.test)}")
        return self


class Derived(DatasetSection):
    """Another data set with a change: fewer examples per class, unequal classes, or wrong labels."""

    base: str
    per_class: Annotated[int | None, Field(ge=1, description="training examples kept of each class, seeded")] = None
    imbalance: Annotated[
        Imbalance | None, Field(description="examples drawn of each class, seeded; the test set stays balanced")
    ] = None
    flip_labels: Annotated[float | None, Field(gt=0, lt=1, description="share moved to another class, seeded")] = None
    flip_to: Annotated[
        Literal["other", "next", "largest"],
        Field(description="other: any other class; next: the class that follows, the last to the first; largest: most of them"),
    ] = "other"

    @model_validator(mode="after")
    def _changes_go_together(self) -> "Derived":
        if self.flip_to != "other" and self.flip_labels is None:
            raise ValueError(f"flip_to: {self.flip_to} says where wrong labels go, but flip_labels is not given; give it")
        if self.per_class is not None and self.imbalance is not None:
            raise ValueError("per_class and imbalance both say how many examples are kept of a class; leave one out")
        return self

    @property
    def changed(self) -> bool:
        """Whether its images or labels are not those of its base."""
        own = type(self).model_fields.keys() - DatasetSection.model_fields.keys() - {"base"}
        return any(getattr(self, field) != type(self).model_fields[field].default for field in own)

    @property
    def fewer(self) -> bool:
        """Whether it may lack examples of its base."""
        return self.per_class is not None or self.imbalance is not None


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
