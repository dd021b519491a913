"""How large the images of a data set will be: found out without reading one."""

import ast
import zipfile

DIGITS = (1, 8, 8)
CIFAR = (3, 32, 32)
COLOURS = 3  # an imagefolder is read in colour


def image_shape(kind: str, settings: dict, base: tuple[int, int, int] | None = None) -> tuple[int, int, int] | None:
    """Return (channels, height, width), or None if only reading the source can tell.

    Args:
        kind: file of pipeline_lib/data that reads it.
        settings: what that file is given.
        base: the shape of the data set that a derived one comes from.
    """
    match kind:
        case "digits":
            return DIGITS
        case "cifar":
            return CIFAR
        case "npz":
            return _of_npz(settings["npz"])
        case "imagefolder":
            return COLOURS, settings["size"], settings["size"]
    return base


def _of_npz(path: str) -> tuple[int, int, int] | None:
    """Read the shape in the header of `train_images`: a few bytes, however large the file."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open("train_images.npy") as member:
            header = member.read(256)  # numpy pads it to a multiple of 64 bytes; a shape of four numbers fits by far
        shape = ast.literal_eval(header[header.index(b"{") : header.index(b"}") + 1].decode("ascii"))["shape"]
        _, height, width, channels = shape if len(shape) == 4 else (*shape, 1)
        return channels, height, width
    except Exception:  # whatever is wrong with it, its reader says so in words
        return None
