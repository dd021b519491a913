"""Put the parts of a report together as one HTML page that needs nothing beside itself.

Text from data sets and tables is escaped; the page may run the one script that it was built with and load nothing.
"""

import base64
import hashlib
import math
import struct
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from pipeline_lib.errors import PipelineError
from pipeline_lib.report.words import Caption

FOLDER = Path(__file__).parent
ROWS = 200  # of a table, at most: a few screens; the whole table lies beside the report
FIGURE_DPI = 150  # of the figures (pipeline_lib.draw.style); a page has 96 pixels to the inch
PAGE_DPI = 96
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
DIGITS = 4  # significant ones of a number in a table
WRAPPED = 32  # characters; longer text is broken into lines
UNFOLDED = 20  # rows; a table that is no longer is shown in full height, and open from the start
ROUNDING = 1e-15  # what is left of a difference of equal accuracies; shown as 0
PLAIN_UP_TO = 1e6  # ranks and seconds below are shown without exponent
MISSING = "–"
# words of verdicts -> how the page colours them
TONES = {"supported": "good", "better than random": "good", "contradicted": "bad", "worse than random": "bad"}


@dataclass(frozen=True)
class Table:
    """A table, or the first rows of one.

    Attributes:
        title: what it holds.
        frame: the rows to show.
        total: how many rows there are in all.
        path: where the whole table lies, or "" if nowhere.
        paragraph: shown above it.
        opened: whether it is unfolded when the page opens.
    """

    title: str
    frame: pd.DataFrame
    total: int
    path: str = ""
    paragraph: str = ""
    opened: bool = False
    kind = "table"


@dataclass(frozen=True)
class Figure:
    """A figure with its words and the table that it draws.

    Attributes:
        name: as under results/{dataset}/, without suffix.
        caption: its words.
        behind: what stands behind a point.
        png: the file's content.
        table: the numbers drawn.
    """

    name: str
    caption: Caption
    behind: str
    png: bytes
    table: Table
    kind = "figure"


@dataclass(frozen=True)
class Points:
    """Short statements, each with what it is about: (subject, sentence)."""

    items: list[tuple[str, str]]
    kind = "points"


@dataclass(frozen=True)
class Listing:
    """Text to be shown letter by letter."""

    title: str
    text: str
    kind = "listing"


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading and an entry in the table of contents."""

    name: str
    title: str
    paragraph: str
    parts: list[Table | Figure | Points | Listing]


@dataclass(frozen=True)
class Meta:
    """What stands above everything: the data set and a few facts about it, (name, value)."""

    dataset: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Cell:
    """One value of a table: as shown, as sorted where that differs, and a verdict's colour."""

    text: str
    key: str | None = None
    tone: str | None = None


def build(sections: list[Section], meta: Meta) -> str:
    """Return the page.

    Args:
        sections: in the order of the page; one without parts is left out.
        meta: for the head of the page.

    Raises:
        PipelineError: a figure is not a PNG.
    """
    loader, spaces = jinja2.FileSystemLoader(FOLDER), {"trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, **spaces)
    environment.globals.update(anchor=anchor, image=image, columns=columns, cells=cells, wrapped=WRAPPED, unfolded=UNFOLDED)
    script = (FOLDER / "sort.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("template.html.j2").render(
        sections=[section for section in sections if section.parts],
        meta=meta,
        style=Markup((FOLDER / "style.css").read_text()),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def excerpt(title: str, frame: pd.DataFrame, path: str, paragraph: str = "", opened: bool = False) -> Table:
    """Return a table cut to its first `ROWS` rows."""
    return Table(title, frame.head(ROWS), len(frame), path, paragraph, opened)


def anchor(name: str) -> str:
    """Return the name of a figure or section as a link target."""
    return name.replace("/", "-")


def image(figure: Figure) -> dict:
    """Return the figure's address (the picture itself) and its size on the page in pixels.

    Raises:
        PipelineError: it is not a PNG.
    """
    if not figure.png.startswith(PNG_SIGNATURE):
        raise PipelineError(f"the figure {figure.name} is not a PNG. Delete it and run the same command again")
    size = struct.unpack(">II", figure.png[16:24])  # the first chunk of a PNG begins with width and height
    width, height = (round(pixels * PAGE_DPI / FIGURE_DPI) for pixels in size)
    return {"src": "data:image/png;base64," + base64.b64encode(figure.png).decode(), "width": width, "height": height}


def columns(frame: pd.DataFrame) -> list[dict]:
    """Return name and kind of every column: numbers stand at the right and sort by size."""
    return [
        {"name": str(name), "number": pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)}
        for name, kind in frame.dtypes.items()
    ]


def cells(frame: pd.DataFrame) -> list[list[Cell]]:
    """Return the rows of a table as text."""
    return [[cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]


def cell(value: object) -> Cell:
    """Return one value as text. Columns sort by what is shown, but for what JavaScript would not read as a number."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return Cell(MISSING, key="")
    if isinstance(value, str):
        return Cell(value, tone=TONES.get(value))
    if pd.api.types.is_bool(value):
        return Cell("yes" if value else "no")
    if not isinstance(value, Real) or isinstance(value, Integral):
        return Cell(str(value))
    if math.isinf(value):
        return Cell("∞", key="Infinity") if value > 0 else Cell("-∞", key="-Infinity")
    if abs(value) < ROUNDING:
        return Cell("0")
    plain = 10 ** (DIGITS - 1) <= abs(value) < PLAIN_UP_TO
    return Cell(f"{value:.1f}".removesuffix(".0") if plain else f"{value:.{DIGITS}g}")
