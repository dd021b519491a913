"""What the report says of one figure or table."""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Caption:
    """The words of one figure.

    Attributes:
        section: key of `SECTIONS`.
        title: a few words.
        paragraph: what was done.
        axes: what is on the axes, or in rows and columns.
        behind: the figure's table -> what stands behind a point and what the bars mean.
    """

    section: str
    title: str
    paragraph: str
    axes: str
    behind: Callable[[pd.DataFrame], str]


@dataclass(frozen=True)
class Heading:
    """The words of a table without a figure."""

    section: str
    title: str
    paragraph: str
