"""A folder that holds one folder of images per class, resized to one size."""

import logging
import os
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from pipeline_lib.data.dataset import Dataset, printable, stratified_split
from pipeline_lib.errors import PipelineError, one_of
from pipeline_lib.rng import generator

log = logging.getLogger("pipeline")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
NAMED = 5  # unreadable images named in a message before it only counts them
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")  # Pillow's modes of 0..65535
WIDER = ("I", "F")  # 32 bits per pixel: nothing says which value is white


def read(settings: dict, seed: int) -> tuple[Dataset, str]:
    """Return (data set, licence note) of a folder of class folders.

    Args:
        settings: `train`, `test` (or None and `test_fraction`), `size` in pixels, `fit` ("crop" or "stretch"), `obtain`.
        seed: study seed, for the split.

    Raises:
        PipelineError: the folder is missing, a class is empty, an image cannot be read, or training and test classes differ.
    """
    train, test, names = listed(settings)
    _tell_of_other_files([folder for folder in (settings["train"], settings["test"]) if folder])
    if test is None:
        labels = np.array([label for _, label in train])
        kept, held = stratified_split(labels, settings["test_fraction"], generator(seed, "test split", "imagefolder"))
        train, test = [train[i] for i in kept], [train[i] for i in held]
    folders = (settings["train"], settings["test"] or settings["train"])
    splits = zip((train, test), folders, strict=True)
    ids = [[_text(path.relative_to(folder).as_posix()) for path, _ in split] for split, folder in splits]
    arrays = [_load([path for path, _ in split], settings["size"], settings["fit"]) for split in (train, test)]
    labels = [np.array([label for _, label in split], dtype=np.int64) for split in (train, test)]
    names = [_text(name) for name in names]
    data = Dataset(arrays[0], labels[0], arrays[1], labels[1], names, ids[0], test_source_id=ids[1])
    return data, f"images of {settings['train']}"


def listed(settings: dict) -> tuple[list[tuple[Path, int]], list[tuple[Path, int]] | None, list[str]]:
    """Return (training images, test images or None, class names), found without opening an image; arguments as for `read`.

    Raises:
        PipelineError: a folder is missing, a class is empty, or training and test classes differ.
    """
    train, names = scan(settings["train"], settings["obtain"])
    if not settings["test"]:
        return train, None, names
    test, test_names = scan(settings["test"], settings["obtain"])
    for here, there, lacking in (("train", "test", set(names) - set(test_names)), ("test", "train", set(test_names) - set(names))):
        if lacking:
            raise PipelineError(
                f"{settings[there]}: lacks the class folders {one_of(sorted(lacking))}, which {settings[here]} has. Training and "
                "test images must have the same classes"
            )
    return train, test, names


def scan(folder: str | Path, obtain: str = "") -> tuple[list[tuple[Path, int]], list[str]]:
    """List the images of a folder of class folders.

    Args:
        folder: holds one folder per class; what is hidden and files that are no images by their ending are passed over.
        obtain: where to get the images, for the message when the folder is missing.

    Returns:
        ((path, label) sorted by class and name, class names).

    Raises:
        PipelineError: the folder is missing, has fewer than two class folders, or a class folder holds no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "no such folder"
        cure = obtain or "Put one folder of images per class there, or change the path in config.yaml (`train:` or `test:`)"
        raise PipelineError(f"{folder}: {what}. {cure}")
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(classes) < 2:
        found = one_of(entry.name for entry in classes) or "none"
        raise PipelineError(f"{folder}: needs one folder of images per class, at least two; found {found}")
    images = []
    for label, folder_of_class in enumerate(classes):
        members = sorted(p for p in folder_of_class.rglob("*") if is_image(p.relative_to(folder_of_class)) and p.is_file())
        if not members:
            raise PipelineError(f"{folder_of_class}: holds no image ({one_of(SUFFIXES)}). Fill it or remove the folder")
        images += [(path, label) for path in members]
    return images, [entry.name for entry in classes]


def _tell_of_other_files(folders: list[str]) -> None:
    endings = Counter(file.suffix.lower() or "without any" for folder in folders for file in _no_images(Path(folder)))
    if endings:
        counted = one_of(f"{number} {ending}" for ending, number in endings.most_common())
        log.warning("files that are no images by their ending were passed over: %s. Read are %s", counted, one_of(SUFFIXES))
    outside = [file for folder in folders for file in Path(folder).glob("*") if file.is_file() and is_image(Path(file.name))]
    if outside:
        log.warning("%d images lie in no class folder and were passed over (%s, ...)", len(outside), outside[0])


def _no_images(folder: Path) -> list[Path]:
    """Return the files of the class folders, relative to their folder, that are passed over though they are not hidden."""
    files = (file.relative_to(folder) for file in folder.glob("*/**/*") if file.is_file())
    return [file for file in files if not is_image(file) and not _hidden(file)]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def is_image(path: Path) -> bool:
    """Whether a file, named from the folder on, is read: an image by its ending, and neither hidden nor in a hidden folder."""
    return path.suffix.lower() in SUFFIXES and not _hidden(path)


def _text(name: str) -> str:
    """A file name, with a mark in place of what was not written in UTF-8 or would break a line of a table or log."""
    return printable(os.fsencode(name).decode(errors="replace"))


def _load(paths: list[Path], size: int, fit: str) -> np.ndarray:
    """Read and resize images -> (N, 3, size, size) uint8; all unreadable ones are named together."""
    images = np.empty((len(paths), 3, size, size), dtype=np.uint8)

    def load(position: int) -> str | None:
        try:
            with Image.open(paths[position]) as image:
                images[position] = _square(image, size, fit).transpose(2, 0, 1)
        except Exception as error:  # whatever a decoder trips over, it is this file
            return f"{paths[position]} ({error})"
        return None

    # decoding releases the interpreter lock
    with warnings.catch_warnings(), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)  # Pillow itself refuses from twice its limit only
        outcomes = list(
            tqdm(pool.map(load, range(len(paths))), total=len(paths), desc="reading images", unit="image", disable=None)
        )
    broken = [outcome for outcome in outcomes if outcome]
    if broken:
        more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        raise PipelineError(f"cannot read {'; '.join(broken[:NAMED])}{more}. Replace or remove these files")
    return images


def _square(image: Image.Image, size: int, fit: str) -> np.ndarray:
    """Upright RGB image of size x size -> (size, size, 3) uint8."""
    image = ImageOps.exif_transpose(image)
    if image.mode in SIXTEEN_BIT:  # convert() would clip everything above 255 to white
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in WIDER:
        raise ValueError("32 bits per pixel; save it with 8 or 16")
    image = image.convert("RGBA").convert("RGB") if "transparency" in image.info else image.convert("RGB")
    if fit == "crop":
        return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
