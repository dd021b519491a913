"""Checksums: every file says what its content was when it was written.

An HDF5 file carries its own in the block before HDF5's first byte, so it is checked before HDF5 looks at the content. Tables
and pictures, which other programs open, have theirs in a hidden file beside them, in the form that `sha256sum -c` reads.
"""

import functools
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

BLOCK = 512  # bytes in front, the smallest that HDF5 passes over
MARK = b"checksum sha256 "
ORIGIN = "# origin "  # a comment to `sha256sum -c`


def stamp(path: str | Path) -> None:
    """Write the checksum of an HDF5 file into its first block; nothing else in that block counts."""
    with open(path, "rb+") as file:
        block = _block_of(file)
        file.seek(0)
        file.write(block)


def _block_of(file: BinaryIO) -> bytes:
    """Return the first block that belongs to what comes after it."""
    file.seek(BLOCK)
    return (MARK + hashlib.file_digest(file, "sha256").hexdigest().encode() + b"\n").ljust(BLOCK, b"\0")


def stamp_fault(path: str | Path) -> str | None:
    """Return what is wrong with an HDF5 file, or None if it is as it was written.

    A file that has been checked is not read again by the same process unless it has changed.
    """
    status = os.stat(path)
    return _stamp_fault(str(path), status.st_ino, status.st_size, status.st_mtime_ns)


@functools.cache
def _stamp_fault(path: str, inode: int, size: int, mtime_ns: int) -> str | None:
    with open(path, "rb") as file:
        block = file.read(BLOCK)
        if not block.startswith(MARK):
            return "damaged or cut short (it has no checksum in front), or not written by this pipeline"
        return None if block == _block_of(file) else "damaged or cut short (its checksum differs)"


def sidecar(path: str | Path) -> Path:
    """Return where the checksum of a table or picture lies."""
    path = Path(path)
    return path.with_name(f".{path.name}.sha256")


def sidecar_text(path: str | Path, content: bytes, origin: str | None = None) -> str:
    """Return what lies beside a table or picture: the line that `sha256sum` would print, below a comment on what made it."""
    said = f"{ORIGIN}{origin}\n" if origin else ""
    return f"{said}{hashlib.sha256(content).hexdigest()}  {Path(path).name}\n"


def sidecar_fault(path: str | Path, content: bytes) -> str | None:
    """Return what is wrong with a table or picture, or None if its content is what was written.

    Args:
        path: where it lies.
        content: what it holds now.
    """
    try:
        said = sidecar(path).read_text(errors="replace")
    except FileNotFoundError:
        return f"has no checksum beside it ({sidecar(path).name}): not written by this pipeline, or copied without it"
    if said.splitlines(keepends=True)[-1:] == [sidecar_text(path, content)]:
        return None
    return f"was changed or damaged (its checksum in {sidecar(path).name} differs)"


def sidecar_origin(path: str | Path) -> str | None:
    """Return what a table says has made it."""
    first = sidecar(path).read_text(errors="replace").split("\n")[0]
    return first.removeprefix(ORIGIN) if first.startswith(ORIGIN) else None
