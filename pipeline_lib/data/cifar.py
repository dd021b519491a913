"""CIFAR-10 and CIFAR-100 from the official archive, through torchvision and its checksums."""

import hashlib
import http.client
import tempfile
import urllib.error
from pathlib import Path

import numpy as np

from pipeline_lib import storage
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError

# of the official archives; torchvision knows their MD5 alone, which can be forged
SHA256 = {
    "cifar10": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    "cifar100": "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
}
AGAIN = "Run the same command again"
NOTE = "A. Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; no formal licence is stated"


def download(source: str, path: str | Path) -> None:
    """Fetch the official archive; it appears under its name only after its checksum has passed.

    Args:
        source: "cifar10" or "cifar100".
        path: destination.

    Raises:
        PipelineError: no network, or the checksum does not match.
    """
    from torchvision.datasets.utils import download_url

    kind = _torchvision_class(source)
    with storage.atomic(path) as temporary:
        try:
            download_url(kind.url, str(temporary.parent), temporary.name, kind.tgz_md5)
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise PipelineError(
                f"{path}: cannot be downloaded from {kind.url} ({error}). Put the archive there by hand, or an .npz where "
                f"`datasets.{source}.npz` in config.yaml points"
            ) from error
        except RuntimeError as error:  # torchvision's word for a checksum that differs
            raise PipelineError(f"{path}: the download is cut short or damaged ({error}). {AGAIN}") from error
        if not _official(temporary, source):
            raise PipelineError(f"{path}: the download is not the official archive (its SHA-256 differs). {AGAIN}")


def read(settings: dict, seed: int) -> tuple[Dataset, str]:
    """Return (data set, licence note) from the official archive; nothing is unpacked before its checksum has passed.

    Args:
        settings: `source` ("cifar10" or "cifar100") and `archive`, a path.
        seed: study seed, not used.

    Raises:
        PipelineError: the archive is cut short or damaged.
    """
    from torchvision.datasets.utils import check_integrity, extract_archive

    kind, path = _torchvision_class(settings["source"]), Path(settings["archive"])
    if not (check_integrity(str(path), kind.tgz_md5) and _official(path, settings["source"])):
        raise PipelineError(f"{path}: checksum differs from the official one; cut short or damaged. Delete it and run again")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        extract_archive(str(path), folder)
        train, test = kind(folder, train=True), kind(folder, train=False)
    return Dataset(
        np.ascontiguousarray(train.data.transpose(0, 3, 1, 2)),
        np.array(train.targets, dtype=np.int64),
        np.ascontiguousarray(test.data.transpose(0, 3, 1, 2)),
        np.array(test.targets, dtype=np.int64),
        list(train.classes),
        [f"train/{i}" for i in range(len(train.data))],
    ), NOTE


def _official(path: Path, source: str) -> bool:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == SHA256[source]


def _torchvision_class(source: str):
    from torchvision.datasets import CIFAR10, CIFAR100

    return {"cifar10": CIFAR10, "cifar100": CIFAR100}[source]
