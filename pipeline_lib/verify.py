"""Check everything under data/ and results/: `python -m pipeline_lib.verify [--clean] [FOLDER ...]`; status 1: a file is bad.

Every file is read whole and compared with its checksum; every data set with its fingerprint; and what was computed from a
data set must carry the fingerprint of the one that lies there now.
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py

from pipeline_lib import seal
from pipeline_lib.data import dataset as canonical
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune.store import MODEL, RunStore
from pipeline_lib.storage import TEMPORARY

FOLDERS = ("data", "results")
# (folder, depth) -> folders there: downloads have the official checksum, sources are the user's, logs are only read by people
NOT_OURS = {("data", 0): ("archives", "sources"), ("results", 1): ("logs",)}
SEALED_BESIDE = (".csv", ".png", ".html")
HOUR, WEEK = 3600, 7 * 86_400  # seconds; a younger temporary file, or state of a training, may be of a job that runs


@dataclass
class Findings:
    """What a check of a tree found.

    Attributes:
        checked: number of files that were read.
        faults: path -> what is wrong.
        leftovers: half-written files of killed jobs, and states of trainings that nobody goes on with.
    """

    checked: int = 0
    faults: dict[Path, str] = field(default_factory=dict)
    leftovers: list[Path] = field(default_factory=list)

    def look(self, path: Path, fault: str | None) -> None:
        """Note one file."""
        self.checked += 1
        if fault:
            self.faults[path] = fault


def verify(folders: list[Path]) -> Findings:
    """Check all files of ours below some folders.

    Args:
        folders: each is named data or results, or holds such folders' content.
    """
    findings, fingerprints = Findings(), {}
    for path in sorted(_files(folders)):
        try:
            _look(path, findings, fingerprints)
        except FileNotFoundError:
            pass  # a job that runs has taken it away, to make it anew
        except OSError as error:
            findings.look(path, f"cannot be read ({error.strerror})")
    return findings


def _look(path: Path, findings: Findings, fingerprints: dict[Path, str | None]) -> None:
    if path.name.startswith("."):
        if _is_leftover(path):
            findings.leftovers.append(path)
    elif path.name.endswith(MODEL) and path.parent.parent.name == "runs":
        findings.look(path, _model_fault(path))
    elif path.suffix == ".h5":
        findings.look(path, _h5_fault(path, fingerprints))
    elif path.suffix in SEALED_BESIDE:
        findings.look(path, seal.sidecar_fault(path, path.read_bytes()))
    elif path.suffix == ".json" and path.parent.parent.name == "runs":
        findings.look(path, _run_fault(path))


def _files(folders: list[Path]) -> Iterator[Path]:
    """Yield all files, links to folders followed (results often lie on another disk), without what is not ours."""
    for top in folders:
        for folder, inside, files in os.walk(top, followlinks=True):
            depth = len(Path(folder).relative_to(top).parts)
            skipped = NOT_OURS.get((top.name, depth), ())
            inside[:] = [name for name in inside if name not in skipped]
            yield from (Path(folder, name) for name in files)


def _is_leftover(path: Path) -> bool:
    """Whether a hidden file is of no use any more."""
    age = time.time() - path.stat().st_mtime
    if path.name.endswith(TEMPORARY):
        return age > HOUR
    for ending in (".checkpoint", ".finished"):
        if path.name.endswith(ending):
            return age > WEEK or (ending == ".checkpoint" and path.with_name(path.name[1:].removesuffix(ending)).exists())
    return False


def _h5_fault(path: Path, fingerprints: dict[Path, str | None]) -> str | None:
    """Return what is wrong with an HDF5 file, or None; the fingerprints of data sets are read once."""
    fault = seal.stamp_fault(path)
    if fault:
        return fault
    if path.name == "dataset.h5":
        return _dataset_fault(path)
    with h5py.File(path, "r", locking=False) as file:
        made_for = file.attrs.get("dataset")
    dataset = _dataset_of(path)
    if dataset is None or made_for is None:
        return None
    if dataset not in fingerprints:
        fingerprints[dataset] = _fingerprint(dataset)
    now = fingerprints[dataset]
    return None if now in (None, made_for) else f"is outdated: made for other images or labels than {dataset} has now"


def _dataset_fault(path: Path) -> str | None:
    try:
        dataset, said = canonical.read(path)
    except PipelineError as error:
        return str(error).removeprefix(f"{path}: ").split(". Delete it")[0]
    return None if dataset.fingerprint() == said else "holds other images or labels than its fingerprint says"


def _dataset_of(path: Path) -> Path | None:
    """Return the data set's file that belongs to results/{dataset}/..., if it is there."""
    parts = path.parts
    if "results" not in parts:
        return None
    top = len(parts) - 1 - parts[::-1].index("results")
    found = Path(*parts[:top], "data", parts[top + 1], "dataset.h5")
    return found if found.is_file() else None


def _fingerprint(dataset: Path) -> str | None:
    if seal.stamp_fault(dataset):
        return None  # said already
    with h5py.File(dataset, "r", locking=False) as file:
        return file.attrs.get("fingerprint")


def _run_fault(path: Path) -> str | None:
    try:
        json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        return f"damaged ({error})"
    return None if RunStore(path.parent.parent).get(path.stem) else "damaged, or of another version of this pipeline"


def _model_fault(path: Path) -> str | None:
    fault = seal.stamp_fault(path)
    if fault:
        return fault
    kept = RunStore(path.parent.parent).model(path.name.removesuffix(MODEL))
    return None if kept else "is the network of another run than its name says"


def main(arguments: list[str] | None = None) -> int:
    """Check, tell, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pipeline_lib.verify", description="Check all files under data/ and results/.")
    parser.add_argument("folders", nargs="*", type=Path, default=[Path(name) for name in FOLDERS], metavar="FOLDER")
    parser.add_argument("--clean", action="store_true", help="remove what killed jobs have left half written")
    given = parser.parse_args(arguments)
    missing = [folder for folder in given.folders if not folder.is_dir()]
    if missing:
        print(
            f"{missing[0]}: no such folder. Run this in the folder of the Snakefile, or name the folders to check", file=sys.stderr
        )
        return 2
    findings = verify(given.folders)
    for path, fault in findings.faults.items():
        if path.suffix == ".json":
            again = "the next sweep trains it again"
        elif path.name.endswith(MODEL):
            again = "the next attack trains it again"
        else:
            again = f"`snakemake --cores 2 {shlex.quote(str(path))}` makes it again"
        print(f"{path}: {fault}. Delete it: {again}")
    for path in findings.leftovers:
        if given.clean:
            path.unlink()
        print(f"{path}: left by a job that was killed{', removed' if given.clean else '; --clean removes it'}")
    print(f"{findings.checked} files checked, {len(findings.faults)} bad, {len(findings.leftovers)} left over")
    return int(bool(findings.faults))


if __name__ == "__main__":
    sys.exit(main())
