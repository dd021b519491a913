"""A local .npz with train_images, train_labels, test_images, test_labels and (optionally) class_names and true_labels."""

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pipeline_lib.data.dataset import Dataset, printable
from pipeline_lib.errors import PipelineError, one_of

MISSING = "missing. Put the file there, or change `npz:` in config.yaml"
TRUE_LABELS = "true_labels"
REQUIRED = ("train_images", "train_labels", "test_images", "test_labels")


def read(settings: dict, seed: int) -> tuple[Dataset, str]:
    """Return (data set, licence note) of an .npz; nothing in it is unpickled.

    Args:
        settings: `npz`, a path; images (N, H, W, C) or (N, H, W) uint8, labels (N,) integers. `true_labels`: whether it must hold
            the true labels of the training images as well, whose given ones may be wrong.
        seed: study seed, not used.

    Raises:
        PipelineError: the file is missing, damaged, or its arrays are not as described.
    """
    path = Path(settings["npz"])
    try:
        with open(path, "rb") as file:  # numpy leaves the file of a broken archive open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array, as numpy.save writes it; use numpy.savez")
            _check_room(archive, path)
            truth = [TRUE_LABELS] if settings.get("true_labels") else []
            lacking = [name for name in (*REQUIRED, *truth) if name not in archive]
            if lacking:
                raise PipelineError(f"{path}: lacks {one_of(lacking)}; it has {one_of(archive.files)}")
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise PipelineError(f"{path}: {MISSING}") from None
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError) as error:
        raise PipelineError(f"{path}: damaged or not an .npz of plain arrays ({error}). Replace it with a good copy") from error
    labels = {}
    for split in ("train", "test"):
        labels[split] = _whole_numbers(arrays, f"{split}_labels", path)
        images = arrays[f"{split}_images"]
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
            raise PipelineError(
                f"{path}: {split}_images must be uint8 of shape (N, H, W), (N, H, W, 1) or (N, H, W, 3), "
                f"not {images.dtype} {images.shape}"
            )
        if labels[split].shape != (len(images),):
            raise PipelineError(f"{path}: {len(images)} {split}_images but {split}_labels of shape {labels[split].shape}")
    if "class_names" in arrays:
        names = [printable(str(name)) for name in np.atleast_1d(arrays["class_names"]).astype(str)]
    else:
        names = [str(label) for label in range(int(labels["train"].max(initial=0)) + 1)]
    data = Dataset(
        _channels_first(arrays["train_images"]),
        labels["train"],
        _channels_first(arrays["test_images"]),
        labels["test"],
        names,
        [f"train/{i}" for i in range(len(labels["train"]))],
        _whole_numbers(arrays, TRUE_LABELS, path) if truth else None,
    )
    return data, f"local file {path.name}"


def _whole_numbers(arrays: dict[str, np.ndarray], name: str, path: Path) -> np.ndarray:
    if not np.issubdtype(arrays[name].dtype, np.integer):
        raise PipelineError(f"{path}: {name} must be whole numbers, not {arrays[name].dtype}")
    return arrays[name].astype(np.int64)


def _check_room(archive: np.lib.npyio.NpzFile, path: Path) -> None:
    """Refuse what unpacks to more than the machine's memory, before anything is unpacked."""
    unpacked = sum(member.file_size for member in archive.zip.infolist())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if unpacked > memory:
        raise PipelineError(f"{path}: unpacks to {unpacked / 1e9:,.0f} GB, this machine has {memory / 1e9:,.0f} GB of memory")


def _channels_first(images: np.ndarray) -> np.ndarray:
    """(N, H, W, C) or (N, H, W) -> (N, C, H, W)."""
    return np.ascontiguousarray(images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2))
