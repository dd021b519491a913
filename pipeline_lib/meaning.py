"""What a Python file does and imports, as far as results can depend on it."""

import ast
import contextlib
import functools
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

MESSAGES = ("PipelineError", "Diverged", "UnseenError", "refuse", "storage.refuse")


class Meaning(NamedTuple):
    """The hash of a file's text without comments, docstrings, formatting and words of messages; the dotted names it imports."""

    digest: str
    imports: list[str]


class Meanings:
    """The meanings of a package's files, and of scripts beside it that use it."""

    def __init__(self, package: Path):
        self._package = package
        self._known: dict[str, list] = {}
        self._file: Path | None = None
        self._fresh = False

    def keep_in(self, file: Path) -> None:
        """Take what is known from a file, which can always be deleted, and write there what is found."""
        self._file = file
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(file.read_text())
            if kept["by"] == _reader():
                self._known = kept["of"] | self._known

    def of(self, path: Path) -> Meaning:
        """Return the meaning of a file.

        Raises:
            SyntaxError: it does not parse.
        """
        source, name = path.read_bytes(), os.path.relpath(path, self._package.parent)
        digest = hashlib.sha256(source).hexdigest()
        known = self._known.get(name)
        if known is None or known[0] != digest:
            self._known[name] = known = [digest, *_meaning(source, path, self._package)]
            self._fresh = True
        return Meaning(*known[1:])

    def keep(self) -> None:
        """Write down what has been found, where that was asked for and is possible."""
        if self._fresh and self._file:
            part = self._file.with_name(f"{self._file.name}.{os.getpid()}")
            with contextlib.suppress(OSError):  # nobody needs it
                self._file.parent.mkdir(parents=True, exist_ok=True)
                part.write_text(json.dumps({"by": _reader(), "of": self._known}))
                part.replace(self._file)
        self._fresh = False


@functools.cache
def _reader() -> str:
    """Return what a meaning depends on besides the file: this file, and the Python that reads and writes source."""
    return hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()


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
