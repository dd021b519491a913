"""What a result depends on, as a short hash.

Code counts by what it does: comments, docstrings, formatting and the words of messages are dropped, and imports are
followed inside this package. `pipeline_lib.config` is left out: it only turns text into values, and those
values are hashed themselves; and so is what writes and reads files.
"""

import functools
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipeline_lib.meaning import Meanings

PACKAGE = Path(__file__).parent
# cannot change a number: they check settings, move bytes to the disk and back, or read the clock
VALUES_ONLY = (
    *("pipeline_lib.config", "pipeline_lib.fingerprint", "pipeline_lib.meaning", "pipeline_lib.job", "pipeline_lib.script"),
    *("pipeline_lib.forkserver", "pipeline_lib.storage", "pipeline_lib.seal", "pipeline_lib.resume"),
    *("pipeline_lib.learn.outcome", "pipeline_lib.learn.speed"),
)
# what a finished training is the result of; how its examples were chosen is told by the subset alone
TRAINING = ("pipeline_lib.learn.train", "pipeline_lib.prune.validate")
DIGITS = 16  # hexadecimal digits kept: 64 bits


def value(*parts: object) -> str:
    """Return the fingerprint of plain values (numbers, strings, lists, dicts), key order aside."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:DIGITS]


def array(*arrays: np.ndarray) -> str:
    """Return the fingerprint of arrays: dtype, shape and every byte."""
    digest = hashlib.sha256()
    for item in arrays:
        if item.dtype.hasobject:
            raise TypeError("an array of objects has no bytes of its own to hash")
        digest.update(f"{item.dtype.str}{item.shape}".encode())
        digest.update(np.ascontiguousarray(item).data)
    return digest.hexdigest()[:DIGITS]


def folder(path: str | Path, is_read: Callable[[Path], bool]) -> str:
    """Return the fingerprint of a folder's listing: the name and size of every file that is read, not its date or content.

    Which files are read their reader says, of names that begin in the folder. Folders in it that are links are followed (a class
    folder may lie elsewhere), links further down are not.
    """
    root = Path(path)
    linked = [entry for entry in root.iterdir() if entry.is_symlink() and entry.is_dir()] if root.is_dir() else []
    there = {file.relative_to(root): file for top in (root, *linked) for file in top.rglob("*")}
    read = {name: file for name, file in there.items() if is_read(name) and file.is_file()}
    return value(sorted((name.as_posix(), file.stat().st_size) for name, file in read.items()))


def zip_directory(path: str | Path) -> str:
    """Return the fingerprint of a zip file's directory: names, sizes and checksums of its members.

    A broken file has the fingerprint of its size, a missing one its own: who reads the file complains, not who names it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return value([(member.filename, member.file_size, member.CRC) for member in archive.infolist()])
    except FileNotFoundError:
        return value("missing")
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return value("broken", Path(path).stat().st_size)


def code(*starts: str | Path) -> str:
    """Return the fingerprint of what the given modules or script files do, everything they import from us included.

    Args:
        starts: dotted names in this package, or paths of scripts.

    Raises:
        SyntaxError: a followed file does not parse.
    """
    return value(_closure(starts))


def modules(*starts: str | Path) -> list[str]:
    """Return the sorted names of all files of ours that `code(*starts)` covers."""
    return sorted(_closure(starts))


def keep_meanings(folder: str | Path) -> None:
    """Keep what is found of source files in a folder, so that the next process parses only those that were edited since."""
    _meanings(PACKAGE).keep_in(Path(folder))


def _closure(starts) -> dict[str, str]:
    found, waiting, meanings = {}, [str(start) for start in starts], _meanings(PACKAGE)
    while waiting:
        name = waiting.pop()
        path = Path(name) if name.endswith(".py") else _module_file(name)
        label = path.name if name.endswith(".py") else name
        if path is None or label in found or any(f"{name}.".startswith(f"{neutral}.") for neutral in VALUES_ONLY):
            continue
        found[label], imports = meanings.of(path)
        waiting += imports
    meanings.keep()
    return found


_meanings = functools.cache(Meanings)


def _module_file(name: str) -> Path | None:
    """Return the file of a dotted name inside the package, or None if it names a function or a stranger."""
    base = PACKAGE.parent.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None
