"""What every section of the config file shares: strict keys, names, numbers, and choices that fail with one message."""

import reprlib
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, model_validator

from pipeline_lib.errors import one_of

NAME = r"[A-Za-z0-9][A-Za-z0-9_]*"  # names become folders and file names: no dots, slashes or blanks
MODELS = Literal["small_cnn", "resnet18_cifar", "resnet18", "resnet32", "plain18", "one_conv"]
BASELINES = ("random", "full")  # always drawn, so not names of swept metrics
REPEATED = "repeated_random"  # RS2: another random subset in every epoch; drawn with `REPEATED_IN`
UNSCORED = (*BASELINES, REPEATED)  # trained without a score
CHECKPOINT_SECONDS = 120  # chosen: the state of a ResNet-18 and its records (100 MB) was written in 0.4 s

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
            raise ValueError(f"should be a section with the keys {one_of(cls.model_fields)}, not {found(values)}")
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise ValueError(f"unknown key {one_of(map(repr, unknown))}; accepted: {one_of(cls.model_fields)}")
        for key, value in values.items():  # pydantic would read `true` as 1
            if isinstance(value, bool) and cls.model_fields[key].annotation in (int, float, int | None, float | None):
                raise ValueError(f"{key} should be a number, not {value}")
        return values


def word_or(kinds: type | tuple[type, ...], words: tuple[str, ...], what: str) -> Discriminator:
    """Choose "(word)" or "(other)"."""

    def tag(value: Any) -> str | None:
        if isinstance(value, str) and value in words:
            return "(word)"
        return "(other)" if isinstance(value, kinds) else None

    return Discriminator(tag, custom_error_type="choice", custom_error_message=f"should be {one_of(words)} or {what}")


def by_name(*names: str) -> Discriminator:
    """Choose the section whose `name` is given."""

    def tag(value: Any) -> str:
        return f"({value.get('name') if isinstance(value, dict) else getattr(value, 'name', None)})"

    message = f"should be a section with `name:` one of {one_of(names)}"
    return Discriminator(tag, custom_error_type="choice", custom_error_message=message)


def plain(section: BaseModel) -> dict:
    """Return a section as plain values, for `params`, fingerprints and file attributes."""
    return section.model_dump(mode="json")


def found(value: Any, chosen_by: bool = False) -> str:
    """Return the value found, shortened; of a section that could not be chosen only the keys that choose."""
    if chosen_by and isinstance(value, dict):
        value = {key: value[key] for key in ("name", "source", "base") if key in value}
    return reprlib.repr(value) if value or value == 0 else "nothing"
