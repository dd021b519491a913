"""HDF5, CSV and JSON files that are complete or absent.

Every file is written beside its destination, flushed to the disk and renamed; a reader that finds a file finds all of it.
HDF5's own file locking is not used: a finished file never changes, and locking fails on some network file systems.
"""

import contextlib
import errno
import io
import json
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from pipeline_lib.errors import PipelineError


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    Raises:
        PipelineError: the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes it private to this user
        os.replace(temporary, path)
    except OSError as error:
        raise _storage_error(error, path) or error from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _storage_error(error: OSError, path: Path) -> PipelineError | None:
    """Turn what a person can cure into words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PipelineError(
            f"{path}: no space left on the disk while writing. Nothing half-written was kept and every finished "
            "result is still there; free some space and run the same command again."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return PipelineError(f"{path}: cannot be written ({os.strerror(error.errno)}). Check who owns the folder {path.parent}.")
    return None


class _Sink(io.FileIO):
    """A file that keeps its first write error and from then on swallows what it is given.

    HDF5 does not survive a write that fails: it prints a trace per open object and can take the process down with it.
    """

    error: OSError | None = None

    def write(self, data) -> int:
        """Write all of the data, or note why not."""
        left = memoryview(data)
        while left and self.error is None:
            try:
                left = left[super().write(left) :]
            except OSError as error:
                self.error = error
        return len(data)


def write_h5(path: str | Path, arrays: Mapping[str, np.ndarray | list], attrs: Mapping[str, object]) -> None:
    """Write arrays (by slash-separated name) and attributes into one HDF5 file, atomically.

    Args:
        path: destination; parent folders are made.
        arrays: name -> array, or a list of strings.
        attrs: file attributes; dicts are stored as JSON text.
    """
    with atomic(path) as temporary, _Sink(temporary, "r+") as sink:
        try:
            with h5py.File(sink, "w", track_order=True) as file:
                for name, value in arrays.items():
                    if isinstance(value, list):
                        file.create_dataset(name, data=value, dtype=h5py.string_dtype())
                    else:
                        file.create_dataset(name, data=value)
                for name, value in attrs.items():
                    file.attrs[name] = json.dumps(value) if isinstance(value, dict) else value
        finally:
            if sink.error is not None:
                raise sink.error


@contextlib.contextmanager
def open_h5(path: str | Path, rebuild: str, required: tuple[str, ...] = ()) -> Iterator[h5py.File]:
    """Open a finished HDF5 file for reading.

    Args:
        path: the file.
        rebuild: what makes this file again, for the error message.
        required: datasets that must be there.

    Raises:
        PipelineError: the file is missing, unreadable for this user, cut short, not HDF5, or lacks a dataset.
    """
    try:
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise _missing(path, rebuild) from None
    except PermissionError:
        raise _forbidden(path) from None
    except OSError as error:
        raise refuse(path, f"damaged or cut short ({error})", rebuild) from error
    with file:
        lacking = [name for name in required if name not in file]
        if lacking:
            raise refuse(path, f"lacks {', '.join(lacking)}", rebuild)
        yield file


def refuse(path: str | Path, what: str, rebuild: str) -> PipelineError:
    """Return the error for a file whose content does not fit, naming the file and its cure."""
    return PipelineError(f"{path}: {what}. Delete it and run {_command(path, rebuild)}.")


def _missing(path: str | Path, rebuild: str) -> PipelineError:
    return PipelineError(f"{path}: missing. Run {_command(path, rebuild)}.")


def _forbidden(path: str | Path) -> PipelineError:
    return PipelineError(f"{path}: cannot be read by this user. Check who owns it.")


def _command(path: str | Path, rebuild: str) -> str:
    return f"`snakemake --cores 2 {shlex.quote(str(path))}` to rebuild it (rule {rebuild})"


def write_json(path: str | Path, value: object) -> None:
    """Write one JSON document atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")


def write_csv(path: str | Path, table, index: bool = False) -> None:
    """Write a pandas table atomically; floats with every digit that distinguishes them."""
    with atomic(path) as temporary:
        table.to_csv(temporary, index=index)


def read_csv(path: str | Path, columns: tuple[str, ...], rebuild: str):
    """Read a CSV written by `write_csv`.

    Raises:
        PipelineError: the file is missing, unreadable, cut short, without a row, or lacks a column.
    """
    import pandas

    try:
        with open(path, "rb") as file:
            whole = file.read()
        table = pandas.read_csv(io.BytesIO(whole))
    except FileNotFoundError:
        raise _missing(path, rebuild) from None
    except PermissionError:
        raise _forbidden(path) from None
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise refuse(path, f"damaged or cut short ({error})", rebuild) from error
    if not whole.endswith(b"\n"):  # pandas would take the rest of the last row for missing values
        raise refuse(path, "cut short (its last row has no end)", rebuild)
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise refuse(path, f"lacks the column {', '.join(lacking)}", rebuild)
    if table.empty:
        raise refuse(path, "has no row", rebuild)
    return table
