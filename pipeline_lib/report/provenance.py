"""What a report's results come from: the data set, the machine that trained, and the versions that wrote the page."""

import importlib.metadata
import json
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import dynamics, storage
from pipeline_lib.data import dataset as canonical

# shown name -> the distributions that may provide it (faiss has several builds)
PACKAGES = {
    "torch": ("torch",),
    "numpy": ("numpy",),
    "scikit-learn": ("scikit-learn",),
    "faiss": ("faiss-cpu", "faiss-gpu", "faiss"),
    "snakemake": ("snakemake",),
}


@dataclass(frozen=True)
class DataFacts:
    """A data set without its images.

    Attributes:
        class_names: C names.
        labels, test_labels: (N,) and (M,) integer classes.
        true_labels: (N,) what the labels should be, or None where that is not known.
        shape: (channels, height, width) of an image.
        fingerprint, note: as in the file.
        drawn: (D,) integer classes of the imbalanced test set, or None where there is none.
    """

    class_names: list[str]
    labels: np.ndarray
    test_labels: np.ndarray
    true_labels: np.ndarray | None
    shape: tuple[int, ...]
    fingerprint: str
    note: str
    drawn: np.ndarray | None = None

    @property
    def wrong(self) -> np.ndarray | None:
        """(N,) bool, labels known to be wrong; None where nothing is known."""
        return None if self.true_labels is None else self.labels != self.true_labels

    def per_class(self) -> pd.DataFrame:
        """Return one row per class: training and test examples and, where known, the imbalanced test set and wrong labels."""
        classes = len(self.class_names)
        table = pd.DataFrame(
            {
                "class": self.class_names,
                "training": np.bincount(self.labels, minlength=classes),
                "test": np.bincount(self.test_labels, minlength=classes),
            }
        )
        if self.drawn is not None:
            table["imbalanced test set"] = np.bincount(self.drawn, minlength=classes)
        if self.wrong is not None:
            table["wrong labels"] = np.bincount(self.labels[self.wrong], minlength=classes)
            table["share wrong"] = table["wrong labels"] / table["training"].clip(lower=1)
        return table


def read_data(path: str | Path) -> DataFacts:
    """Read everything but the images of a data set.

    Raises:
        PipelineError: the file is missing, damaged or not a data set.
    """
    with storage.open_h5(path, canonical.REBUILD, canonical.ARRAYS) as file:
        return DataFacts(
            class_names=list(file["class_names"].asstr()[:]),
            labels=file["train/labels"][:],
            test_labels=file["test/labels"][:],
            true_labels=file["train/true_labels"][:] if "train/true_labels" in file else None,
            shape=tuple(file["train/images"].shape[1:]),
            fingerprint=str(file.attrs["fingerprint"]),
            note=str(file.attrs.get("note", "")),
            drawn=file["test/labels"][:][file["test/drawn"][:]] if "test/drawn" in file else None,
        )


def read_training(path: str | Path, fingerprint: str) -> dict[str, str]:
    """Return what one seed of the ensemble says about its training, in words.

    Args:
        path: results/{dataset}/dynamics/seed{seed}.h5
        fingerprint: of the data set.

    Raises:
        PipelineError: the file is damaged, or was recorded on another data set.
    """
    with storage.open_h5(path, dynamics.REBUILD) as file:
        attrs = dict(file.attrs)
    if attrs.get("dataset") != fingerprint:
        raise storage.refuse(path, "was recorded on another data set (its fingerprint differs)", dynamics.REBUILD)
    recipe = json.loads(attrs["recipe"])
    return {
        "device of the ensemble": str(attrs["device"]),
        "one seed of the ensemble": f"{recipe['model']}, {recipe['epochs']} epochs in {recipe['precision']}, "
        f"{attrs['seconds']:,.1f} s, {attrs['images_per_second']:,.0f} images/s",
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on, as installed now."""
    found = {"python": platform.python_version()}
    for name, distributions in PACKAGES.items():
        found[name] = next((version for version in map(_version, distributions) if version), "not installed")
    return found


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def commit(folder: str | Path) -> str | None:
    """Return the commit of a git checkout, "-dirty" added where files were changed; None where it is none.

    Args:
        folder: the root of the project; a repository that only contains it does not count.
    """
    try:
        root = _git(folder, "rev-parse", "--show-toplevel")
        if Path(root).resolve() != Path(folder).resolve():
            return None
        return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: str | Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
