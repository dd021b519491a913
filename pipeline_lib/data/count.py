"""How many training examples of each class a source will give: found out without reading an image."""

import zipfile
from pathlib import Path

import numpy as np

from pipeline_lib.data import imbalance
from pipeline_lib.data.split import held_out_of
from pipeline_lib.errors import PipelineError

MOST_LABELS = 10**8  # bytes; who packs more into a file would have every plan unpack it
DIGITS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)  # of scikit-learn's copy, training and test
CIFAR10_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR = {"cifar10": (5000,) * 10, "cifar100": (500,) * 100}


def class_counts(kind: str, settings: dict, base: list[int] | None = None, names: list[str] | None = None) -> list[int] | None:
    """Return the number of training examples of each class, or None if only reading the source can tell.

    Args:
        kind: file of pipeline_lib/data that reads it.
        settings: what that file is given.
        base: the counts of the data set that a derived one comes from.
        names: of the classes, in their order; None: not known.

    Returns:
        In the order of the classes; where `imbalance.counts` says them and their names are not known, in the order of that section.
    """
    match kind:
        case "digits":
            return [number - held_out_of(number, settings["test_fraction"]) for number in DIGITS]
        case "cifar" | "npz" if settings.get("source") in CIFAR:
            return list(CIFAR[settings["source"]])
        case "npz":
            return _of_npz(settings["npz"])
        case "imagefolder":
            return _of_folder(settings)
        case "derived" if settings["imbalance"] and settings["imbalance"]["counts"]:
            counts = settings["imbalance"]["counts"]
            return [counts[name] for name in names or counts]
        case "derived" if base is not None and settings["imbalance"]:
            by_position = {str(position): number for position, number in enumerate(base)}
            return list(imbalance.kept(settings["imbalance"], by_position, "imbalance").values())
        case "derived" if base is not None:
            return [min(number, settings["per_class"] or number) for number in base]
    return None


def counts_of_test(kind: str, settings: dict, base: list[int] | None = None) -> list[int] | None:
    """Return the number of test images of each class, or None if only reading the source can tell; arguments as above."""
    match kind:
        case "digits":
            return [held_out_of(number, settings["test_fraction"]) for number in DIGITS]
        case "cifar" | "npz" if settings.get("source") in CIFAR:
            return [number // 5 for number in CIFAR[settings["source"]]]
        case "derived" if not (settings["imbalance"] and settings["imbalance"]["counts"]):
            return base
    return None


def class_names(kind: str, settings: dict, base: list[str] | None = None) -> list[str] | None:
    """Return the names of the classes in their order, or None if only reading the source can tell; arguments as above."""
    match kind:
        case "digits":
            return [str(digit) for digit in range(len(DIGITS))]
        case "cifar" if settings["source"] == "cifar10":
            return list(CIFAR10_NAMES)
        case "npz":
            return _names_of_npz(settings["npz"])
        case "imagefolder":
            return _names_of_folder(settings)
        case "derived" if base is not None and settings["imbalance"] and settings["imbalance"]["counts"]:
            return [name for name in base if name in settings["imbalance"]["counts"]]
    return base


def _of_npz(path: str) -> list[int] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("train_labels.npy").file_size > MOST_LABELS:
                return None
        with open(path, "rb") as file:
            return np.bincount(np.load(file, allow_pickle=False)["train_labels"]).tolist()
    except Exception:  # whatever is wrong with it, its reader says so in words
        return None


def _names_of_npz(path: str) -> list[str] | None:
    try:
        with open(path, "rb") as file:
            return [str(name) for name in np.load(file, allow_pickle=False)["class_names"]]
    except Exception:  # whatever is wrong with it, its reader says so in words; without names classes are numbered
        return None


def _names_of_folder(settings: dict) -> list[str] | None:
    from pipeline_lib.data.imagefolder import scan

    try:
        return scan(Path(settings["train"]))[1]
    except PipelineError:
        return None


def _of_folder(settings: dict) -> list[int] | None:
    from pipeline_lib.data.imagefolder import scan

    try:
        images, _ = scan(Path(settings["train"]))
    except PipelineError:
        return None
    counts = np.bincount([label for _, label in images]).tolist()
    return counts if settings["test"] else [number - held_out_of(number, settings["test_fraction"]) for number in counts]
