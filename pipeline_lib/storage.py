"""HDF5, CSV and JSON files that are complete or absent.

Every file is written beside its destination, flushed to the disk and renamed; a reader that finds a file finds all of it,
and checks that it is what was written (`pipeline_lib.seal`). HDF5's own file locking is not used: a finished file never
changes, and locking fails on some network file systems.
"""

import contextlib
import errno
import glob
import io
import json
import os
import shlex
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from pipeline_lib import seal
from pipeline_lib.errors import PipelineError

# process numbers are told apart by machine and, in containers, by their own count
HOST = f"{socket.gethostname()}-{os.stat('/proc/self/ns/pid').st_ino if os.path.exists('/proc/self/ns/pid') else 0}"
# of a network file system or a busy machine, not of a file
PASSING = (errno.ESTALE, errno.EIO, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EINTR)
PATIENCE = (0.1, 0.4, 1.5, 3)  # seconds; a table and its checksum are two files, which others may see one after the other
TEMPORARY = ".tmp"  # how the names of half-written files end


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path`, on failure it is removed.

    What a killed process has left half written is removed by the next that writes the same file on the same machine.

    Raises:
        PipelineError: the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.{HOST}.{os.getpid()}.", suffix=TEMPORARY, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes it private to this user
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        raise _storage_error(error, path) or error from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Let the new name survive a power failure; not every file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote `path` on this machine."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{HOST}.*{TEMPORARY}"):
        process = left.name.removeprefix(f".{path.name}.{HOST}.").split(".")[0]
        if process.isdecimal() and not _runs(int(process)):
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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
    with atomic(path) as temporary:
        with _Sink(temporary, "r+") as sink:
            try:
                with h5py.File(sink, "w", track_order=True, userblock_size=seal.BLOCK) as file:
                    _fill(file, arrays, attrs)
            finally:
                if sink.error is not None:
                    raise sink.error
        seal.stamp(temporary)


def _fill(file: h5py.File, arrays: Mapping[str, np.ndarray | list], attrs: Mapping[str, object]) -> None:
    for name, value in arrays.items():
        if isinstance(value, list):
            file.create_dataset(name, data=value, dtype=h5py.string_dtype())
        else:
            file.create_dataset(name, data=value)
    for name, value in attrs.items():
        file.attrs[name] = json.dumps(value) if isinstance(value, dict) else value


@contextlib.contextmanager
def open_h5(path: str | Path, rebuild: str, required: tuple[str, ...] = ()) -> Iterator[h5py.File]:
    """Open a finished HDF5 file for reading.

    Args:
        path: the file.
        rebuild: what makes this file again, for the error message.
        required: datasets that must be there.

    Raises:
        PipelineError: the file is missing, unreadable for this user, not what was written, or lacks a dataset.
    """
    try:
        fault = seal.stamp_fault(path)
        if fault:
            raise refuse(path, fault, rebuild)
        file = h5py.File(path, "r", locking=False)
    except FileNotFoundError:
        raise _missing(path, rebuild) from None
    except PermissionError:
        raise _forbidden(path) from None
    except OSError as error:
        if error.errno in PASSING:
            raise _unreadable(path, error) from error
        raise refuse(path, f"damaged or cut short ({error})", rebuild) from error
    with file:
        lacking = [name for name in required if name not in file]
        if lacking:
            raise refuse(path, f"lacks {', '.join(lacking)}", rebuild)
        yield file


class CannotRead(PipelineError):
    """The file may be as good as it was written; it cannot be read now, or not by this user."""


def check_origin(path: str | Path, origin: str) -> None:
    """Refuse a file that is whole but was made by other settings than those asked for.

    Args:
        path: an HDF5 file with the attribute `origin`, or a table with its origin beside it.
        origin: what the workflow expects there.

    Raises:
        PipelineError: another data set, recipe or parameters made the file.
    """
    if Path(path).suffix == ".h5":
        with open_h5(path, "") as file:
            found = file.attrs.get("origin")
    else:
        read_bytes(path, "")
        found = seal.sidecar_origin(path)
    if found != origin:
        raise refuse(path, "was made by other settings (data set, recipe, seed or parameters) than config.yaml has now", "")


def refuse(path: str | Path, what: str, rebuild: str) -> PipelineError:
    """Return the error for a file whose content does not fit, naming the file and its cure."""
    return PipelineError(f"{path}: {what}. Delete it and run {_command(path, rebuild)}.")


def _missing(path: str | Path, rebuild: str) -> PipelineError:
    return PipelineError(f"{path}: missing. Run {_command(path, rebuild)}.")


def _forbidden(path: str | Path) -> CannotRead:
    return CannotRead(f"{path}: cannot be read by this user. Check who owns it.")


def _unreadable(path: str | Path, error: OSError) -> CannotRead:
    return CannotRead(f"{path}: cannot be read now ({os.strerror(error.errno)}). The file may be good: run the same command again.")


def _command(path: str | Path, rebuild: str) -> str:
    return f"`snakemake --cores 2 {shlex.quote(str(path))}` to rebuild it" + (f" (rule {rebuild})" if rebuild else "")


def write_json(path: str | Path, value: object) -> None:
    """Write one JSON document atomically."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")


def write_bytes(path: str | Path, content: bytes, origin: str | None = None) -> None:
    """Write a picture or a text atomically, its checksum beside it.

    Args:
        path: destination; parent folders are made.
        content: all of it.
        origin: what made it, for a table that other jobs read.
    """
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    text = seal.sidecar_text(path, content, origin)
    while text is not None:
        with atomic(seal.sidecar(path)) as temporary:
            temporary.write_text(text)
        # another process may have written the same file meanwhile: the last one to look leaves the two in agreement
        try:
            now = seal.sidecar_text(path, Path(path).read_bytes(), origin)
        except FileNotFoundError:  # or taken it away, to make it anew
            return
        text = now if now != text else None


def read_bytes(path: str | Path, rebuild: str) -> bytes:
    """Return what `write_bytes` wrote.

    Raises:
        PipelineError: the file is missing, unreadable for this user, or not what was written.
    """
    for seconds in (*PATIENCE, 0):
        try:
            content = Path(path).read_bytes()
            fault = seal.sidecar_fault(path, content)
        except FileNotFoundError:
            raise _missing(path, rebuild) from None
        except PermissionError:
            raise _forbidden(path) from None
        except OSError as error:
            raise _unreadable(path, error) from error
        if fault is None:
            return content
        time.sleep(seconds)
    raise refuse(path, fault, rebuild)


def write_csv(path: str | Path, table, index: bool = False, origin: str | None = None) -> None:
    """Write a pandas table atomically, its checksum beside it; floats with every digit that distinguishes them."""
    write_bytes(path, table.to_csv(index=index).encode(), origin)


def read_csv(path: str | Path, columns: tuple[str, ...], rebuild: str, empty: bool = False):
    """Read a CSV written by `write_csv`; `empty`: it may be without a row.

    Raises:
        PipelineError: the file is missing, unreadable, not what was written, without a row, or lacks a column.
    """
    import pandas

    table = pandas.read_csv(io.BytesIO(read_bytes(path, rebuild)))
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise refuse(path, f"lacks the column {', '.join(lacking)}", rebuild)
    if table.empty and not empty:
        raise refuse(path, "has no row", rebuild)
    return table
