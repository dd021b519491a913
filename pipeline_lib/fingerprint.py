"""What a result depends on, as a short hash.

Code counts by what it does: comments, docstrings, formatting and the words of messages are dropped, and imports are
followed inside this package. `pipeline_lib.config` is left out: it only turns text into values, and those
values are hashed themselves; and so is what writes and reads files.
"""

import ast
import functools
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).parent
# cannot change a number: they check settings, move bytes to the disk and back, or read the clock
VALUES_ONLY = (
    *("pipeline_lib.config", "pipeline_lib.fingerprint", "pipeline_lib.job", "pipeline_lib.forkserver", "pipeline_lib.script"),
    *("pipeline_lib.storage", "pipeline_lib.seal", "pipeline_lib.resume", "pipeline_lib.learn.outcome", "pipeline_lib.learn.speed"),
)
# what a finished training is the result of; how its examples were chosen is told by the subset alone
TRAINING = ("pipeline_lib.learn.train", "pipeline_lib.prune.validate")
MESSAGES = ("PipelineError", "Diverged", "UnseenError", "refuse", "storage.refuse")
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
    return value({str(name): text for name, text in _closure(starts).items()})


def modules(*starts: str | Path) -> list[str]:
    """Return the sorted names of all files of ours that `code(*starts)` covers."""
    return sorted(_closure(starts))


def _closure(starts) -> dict[str, str]:
    found, waiting = {}, [str(start) for start in starts]
    while waiting:
        name = waiting.pop()
        path = Path(name) if name.endswith(".py") else _module_file(name)
        label = path.name if name.endswith(".py") else name
        if path is None or label in found or any(f"{name}.".startswith(f"{neutral}.") for neutral in VALUES_ONLY):
            continue
        found[label], imported = _normalised(path, path.stat().st_mtime_ns)
        waiting += imported
    return found


def _module_file(name: str) -> Path | None:
    """Return the file of a dotted name inside the package, or None if it names a function or a stranger."""
    base = PACKAGE.parent.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _normalised(path: Path, mtime_ns: int) -> tuple[str, tuple[str, ...]]:
    """Return (source without comments, docstrings and formatting; dotted names that it imports from this package)."""
    tree = ast.parse(path.read_text(), filename=str(path))
    imported = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, [*_folder_of_dots(path, node.level), node.module]))
            imported += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.Call) and _only_tells(node.func):
            node.args, node.keywords = [], []
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    ours = tuple(name for name in imported if name.split(".")[0] == PACKAGE.name and _module_file(name))
    return ast.unparse(tree), ours


def _folder_of_dots(path: Path, level: int) -> tuple[str, ...]:
    """Return the dotted parts of the folder that the dots of a relative import stand for; none for an absolute import."""
    return path.parents[level - 1].relative_to(PACKAGE.parent).parts if level else ()


def _only_tells(function: ast.AST) -> bool:
    """Whether a call only makes an error message or a line of the log: its words change no result."""
    match function:
        case ast.Name(name):
            return name in MESSAGES
        case ast.Attribute(ast.Name(name), attribute):
            return name == "log" or f"{name}.{attribute}" in MESSAGES
    return False


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
