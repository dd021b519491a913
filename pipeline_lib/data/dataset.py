"""The canonical data set: arrays in memory and one HDF5 file on disk.

An example is its position in the training set: never re-ordered, never re-numbered.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from pipeline_lib import fingerprint, storage
from pipeline_lib.data.split import held_out_of
from pipeline_lib.errors import PipelineError, one_of

REBUILD = "prepare_dataset"
ARRAYS = ("train/images", "train/labels", "train/source_id", "test/images", "test/labels", "test/source_id", "class_names")


@dataclass(frozen=True)
class Dataset:
    """Images and labels of one data set.

    Attributes:
        train_images, test_images: (N, C, H, W) uint8.
        train_labels, test_labels: (N,) int64 in 0..classes-1.
        class_names: one name per class.
        source_id: per training example the file or position it came from.
        true_labels: (N,) int64, what the labels should be, where that is known: the data set brought them, or wrong labels were
            made on purpose; else None.
        test_drawn: (D,) int64, sorted positions of the test images that make a second test set, as unequal as the training
            examples; None where there is none.
        test_source_id: per test image the file or position it came from; None: the positions.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: list[str]
    source_id: list[str]
    true_labels: np.ndarray | None = None
    test_drawn: np.ndarray | None = None
    test_source_id: list[str] | None = None

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def fingerprint(self) -> str:
        """Hash every image, label and class name, and which test images are drawn."""
        names = np.frombuffer("\n".join(self.class_names).encode(), dtype=np.uint8)
        drawn = () if self.test_drawn is None else (self.test_drawn,)
        return fingerprint.array(self.train_images, self.train_labels, self.test_images, self.test_labels, names, *drawn)


def check(dataset: Dataset, where: str) -> Dataset:
    """Return the data set if it can be trained on.

    Args:
        dataset: as read from a source.
        where: file or folder it came from, for the messages.

    Raises:
        PipelineError: wrong shapes or types, labels outside the classes, one class only, a class without training images, true
            labels or an imbalanced test set that are none.
    """
    for split, sources in (("train", dataset.source_id), ("test", dataset.test_source_id)):
        images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        if images.ndim != 4 or images.dtype != np.uint8 or images.shape[1] not in (1, 3):
            raise PipelineError(
                f"{where}: {split} images must be uint8 of shape (N, 1 or 3, H, W), not {images.dtype} {images.shape}"
            )
        if labels.shape != (len(images),):
            raise PipelineError(f"{where}: {len(images)} {split} images but labels of shape {labels.shape}")
        if len(labels) == 0:
            raise PipelineError(f"{where}: no {split} images")
        if sources is not None and len(sources) != len(images):
            raise PipelineError(f"{where}: {len(images)} {split} images but {len(sources)} files or positions that they came from")
        if labels.min() < 0 or labels.max() >= dataset.classes:
            raise PipelineError(
                f"{where}: {split} labels run from {labels.min()} to {labels.max()}, but there are {dataset.classes} classes (0 to "
                f"{dataset.classes - 1})"
            )
    truth = dataset.true_labels
    if truth is not None and (truth.shape != dataset.train_labels.shape or truth.min() < 0 or truth.max() >= dataset.classes):
        raise PipelineError(
            f"{where}: true labels must be one of the {dataset.classes} classes (0 to {dataset.classes - 1}) for each of the "
            f"{len(dataset.train_labels)} training images"
        )
    if dataset.train_images.shape[1:] != dataset.test_images.shape[1:]:
        raise PipelineError(
            f"{where}: training images are {dataset.train_images.shape[1:]}, test images {dataset.test_images.shape[1:]}"
        )
    if dataset.classes < 2:
        raise PipelineError(f"{where}: only one class ({one_of(dataset.class_names)}); at least two are needed")
    if len(set(dataset.class_names)) < dataset.classes:
        raise PipelineError(f"{where}: two classes have the same name among {one_of(dataset.class_names)}")
    empty = np.setdiff1d(np.arange(dataset.classes), dataset.train_labels)
    if len(empty):
        raise PipelineError(f"{where}: no training image of class {one_of(dataset.class_names[c] for c in empty)}")
    drawn = dataset.test_drawn
    if drawn is not None and not np.array_equal(drawn, np.intersect1d(drawn, np.arange(len(dataset.test_labels)))):
        raise PipelineError(
            f"{where}: the imbalanced test set must be sorted positions of the {len(dataset.test_labels)} test images"
        )
    if drawn is not None and len(drawn) == 0:
        raise PipelineError(f"{where}: the imbalanced test set is empty")
    return dataset


def write(path: str | Path, dataset: Dataset, attrs: dict) -> str:
    """Write the canonical file and return its fingerprint.

    Args:
        path: data/{name}/dataset.h5
        dataset: checked data set.
        attrs: source, licence note, seed of any change; the fingerprint is added.
    """
    arrays = {
        "train/images": dataset.train_images,
        "train/labels": dataset.train_labels,
        "train/source_id": dataset.source_id,
        "test/images": dataset.test_images,
        "test/labels": dataset.test_labels,
        "test/source_id": dataset.test_source_id or [f"test/{i}" for i in range(len(dataset.test_labels))],
        "class_names": dataset.class_names,
    }
    if dataset.true_labels is not None:
        arrays["train/true_labels"] = dataset.true_labels
    if dataset.test_drawn is not None:
        arrays["test/drawn"] = dataset.test_drawn
    found = dataset.fingerprint()
    storage.write_h5(path, arrays, {**attrs, "fingerprint": found})
    return found


def read(path: str | Path) -> tuple[Dataset, str]:
    """Return the data set and its fingerprint.

    Raises:
        PipelineError: the file is missing, damaged or not a data set.
    """
    with storage.open_h5(path, REBUILD, ARRAYS) as file:
        dataset = Dataset(
            train_images=file["train/images"][:],
            train_labels=file["train/labels"][:],
            test_images=file["test/images"][:],
            test_labels=file["test/labels"][:],
            class_names=list(file["class_names"].asstr()[:]),
            source_id=list(file["train/source_id"].asstr()[:]),
            true_labels=file["train/true_labels"][:] if "train/true_labels" in file else None,
            test_drawn=file["test/drawn"][:] if "test/drawn" in file else None,
            test_source_id=list(file["test/source_id"].asstr()[:]),
        )
        fingerprint_of_content = _fingerprint(file, path)
    try:
        return check(dataset, str(path)), fingerprint_of_content
    except PipelineError as error:
        raise storage.refuse(path, str(error).removeprefix(f"{path}: "), REBUILD) from error


def read_labels(path: str | Path, split: str = "train") -> tuple[np.ndarray, list[str], str]:
    """Return (labels of a split, class names, fingerprint) without touching the images.

    Raises:
        PipelineError: the file is missing, damaged or not a data set.
    """
    with storage.open_h5(path, REBUILD, ARRAYS) as file:
        return file[f"{split}/labels"][:], list(file["class_names"].asstr()[:]), _fingerprint(file, path)


def read_corruption(path: str | Path) -> tuple[np.ndarray, str]:
    """Return ((N,) bool whether the label is wrong, fingerprint) of a data set whose true labels are known.

    Raises:
        PipelineError: the file is missing, damaged or not a data set, or its true labels are not known.
    """
    with storage.open_h5(path, REBUILD, (*ARRAYS, "train/true_labels")) as file:
        return file["train/labels"][:] != file["train/true_labels"][:], _fingerprint(file, path)


def read_truth(path: str | Path) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Return ((N,) training labels, (N,) bool whether each is wrong or None where that is not known, fingerprint).

    Raises:
        PipelineError: the file is missing, damaged or not a data set.
    """
    with storage.open_h5(path, REBUILD, ARRAYS) as file:
        labels = file["train/labels"][:]
        wrong = labels != file["train/true_labels"][:] if "train/true_labels" in file else None
        return labels, wrong, _fingerprint(file, path)


def _fingerprint(file: h5py.File, path: str | Path) -> str:
    if "fingerprint" not in file.attrs:
        raise storage.refuse(path, "lacks its fingerprint", REBUILD)
    return str(file.attrs["fingerprint"])


def printable(name: str) -> str:
    """Return a name with a mark in place of every character that is none to be seen, such as the end of a line."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)


def stratified_split(labels: np.ndarray, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into (rest, held out), taking `fraction` of every class, at least one and never all.

    Returns:
        Two sorted arrays of positions. A class with a single example stays whole in the rest.
    """
    held = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        held.append(rng.permutation(members)[: held_out_of(len(members), fraction)])
    held_out = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out
