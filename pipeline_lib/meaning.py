"""What a Python file does and imports, as far as results can depend on it."""

import ast
import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from pipeline_lib.errors import PipelineError

MESSAGES = ("PipelineError", "Diverged", "UnseenError", "refuse", "storage.refuse")
# what a meaning depends on besides the file: how it is found, and the Python that reads and writes source
READER = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()[:16]


class Meaning(NamedTuple):
    """The hash of a file's text without comments, docstrings, formatting and words of messages; the dotted names it imports."""

    digest: str
    imports: list[str]


class Meanings:
    """The meanings of a package's files, and of scripts beside it that use it."""

    def __init__(self, package: Path):
        self._package = package
        self._seen: dict[tuple[Path, int], Meaning] = {}  # path and date
        self._known: dict[str, tuple[str, Meaning]] = {}  # name -> hash of the file, and its meaning
        self._file: Path | None = None
        self._fresh = False

    def keep_in(self, folder: Path) -> None:
        """Take what is known from a file in a folder, which can always be deleted, and write there what is found."""
        self._file = folder / f"meanings-{READER}.json"
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            kept = json.loads(self._file.read_text())
            self._known |= {name: (digest, Meaning(*found)) for name, (digest, found) in kept.items()}

    def of(self, path: Path) -> Meaning:
        """Return the meaning of a file.

        Raises:
            SyntaxError: it does not parse.
        """
        seen = path, path.stat().st_mtime_ns
        if seen not in self._seen:
            source, name = path.read_bytes(), os.path.relpath(path, self._package.parent)
            digest = hashlib.sha256(source).hexdigest()
            known, meaning = self._known.get(name, (None, None))
            if known != digest:
                meaning = _meaning(source, path, self._package)
                self._known[name], self._fresh = (digest, meaning), True
            self._seen[seen] = meaning
        return self._seen[seen]

    def keep(self) -> None:
        """Write down what has been found, where that was asked for and is possible."""
        if self._fresh and self._file:
            from pipeline_lib.storage import atomic  # brings h5py, which a process that finds nothing new may not need

            with contextlib.suppress(OSError, PipelineError), atomic(self._file) as part:  # nobody needs it
                part.write_text(json.dumps(self._known))
        self._fresh = False


def _meaning(source: bytes, path: Path, package: Path) -> Meaning:
    tree = ast.parse(source, filename=str(path))
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            # the dotted parts of the folder that the dots of a relative import stand for
            folder = path.parents[node.level - 1].relative_to(package.parent).parts if node.level else ()
            module = ".".join(filter(None, [*folder, node.module]))
            imports += [module, *(f"{module}.{alias.name}" for alias in node.names)]
        if isinstance(node, ast.Call) and _only_tells(node.func):
            node.args, node.keywords = [], []
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    text = ast.unparse(tree)
    return Meaning(hashlib.sha256(text.encode()).hexdigest(), [name for name in imports if name.split(".")[0] == package.name])


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
