"""What a measurement gives: repeated values of one row, and the words that belong to the row."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row of the table: everything about it but its value.

    Attributes:
        key: stable name in history.csv.
        title: what is measured.
        unit: of the value: "s", "MB", "%", "x" (times as fast), "GFLOP/s" or "GB/s".
        goal: what we want, in words; shown beside the value, never checked. Empty for a row of information.
        how: what is particular to this row, in full sentences, for the document; the rest is its group's.
        needs: what not every machine has; told where there is no value yet.
    """

    key: str
    title: str
    unit: str
    goal: str = ""
    how: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Result:
    """The measured values of one row.

    Attributes:
        key: which row.
        values: one per repeat; empty if the row could not be measured.
        detail: the figures behind the value, or why there is none.
    """

    key: str
    values: tuple[float, ...]
    detail: str

    @property
    def median(self) -> float:
        """The value that the table shows."""
        return statistics.median(self.values)


@dataclass(frozen=True)
class Group:
    """Rows that are measured together.

    Attributes:
        name: how the group is chosen on the command line.
        title: its heading in the document.
        how: how its rows are measured, in full sentences.
        rows: in the order of the table.
        measure: takes whether sizes are the small ones, yields results as they come.
    """

    name: str
    title: str
    how: str
    rows: tuple[Row, ...]
    measure: Callable[[bool], Iterator[Result]]


def skipped(rows: Iterable[Row]) -> Iterator[Result]:
    """Yield a result without a value for every row that needs what this machine lacks."""
    for row in rows:
        yield Result(row.key, (), f"not yet measured: needs {row.needs}")


def failed(rows: Iterable[Row], error: Exception) -> Iterator[Result]:
    """Yield a result without a value for every row whose measurement came to nothing."""
    for row in rows:
        yield Result(row.key, (), f"failed: {type(error).__name__}")


def clock(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def repeat(measure: Callable[[], float], repeats: int) -> tuple[float, ...]:
    """Measure once to warm up and then `repeats` times."""
    measure()
    return tuple(measure() for _ in range(repeats))


def interleave(first: Callable[[], float], second: Callable[[], float], repeats: int) -> list[tuple[float, float]]:
    """Measure A B A B ...: what the machine does besides then falls on both sides alike. The first pair warms up."""
    pairs = [(first(), second()) for _ in range(repeats + 1)]
    return pairs[1:]


def medians(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the median of each side of interleaved measurements."""
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
