"""Files that were damaged in a thousand ways: each is refused in words, or what is read from it is what it held before.

`MUTATIONS=1000 pytest tests/unit/test_mutated_files.py` tries more of each kind.
"""

import hashlib
import os
import pickle
import random
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torchvision import datasets

from pipeline_lib import dynamics, features, scores, storage
from pipeline_lib.data import cifar, imagefolder, npz
from pipeline_lib.data import dataset as canonical
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn.cluster import Clusters
from pipeline_lib.prune.store import FIELDS, RunStore
from pipeline_lib.resume import Checkpoint

MUTATIONS = int(os.environ.get("MUTATIONS", 110))  # of each kind: 1,100 in all
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (12, 3, 8, 8), dtype=np.uint8), np.arange(12) % 3
DATA = Dataset(IMAGES, LABELS, IMAGES[:3], LABELS[:3], ["ant", "bee", "cat"], [f"train/{i}" for i in range(12)])
DATASET = DATA.fingerprint()


class Refused(Exception):
    """What a reader does that says "there is none" instead of raising."""


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Return the content with one to three changes of the kinds that disks, networks and people make."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        where, length = rng.randrange(len(changed) + 1), rng.choice([1, 1, 2, 8, 64, 512])
        match rng.choice(["bit", "bytes", "zeros", "cut", "lose", "add", "repeat", "empty"]):
            case "bit" if changed:
                changed[where % len(changed)] ^= 1 << rng.randrange(8)
            case "bytes":
                changed[where : where + length] = rng.randbytes(len(changed[where : where + length]))
            case "zeros":
                changed[where : where + length] = bytes(len(changed[where : where + length]))
            case "cut":
                del changed[where:]
            case "lose":
                del changed[where : where + length]
            case "add":
                changed[where:where] = rng.randbytes(length)
            case "repeat":
                changed[where:where] = changed[where : where + length]
            case "empty" if rng.random() < 0.1:
                changed.clear()
    return bytes(changed)


def arrays_of(dataset):
    return [dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels, dataset.class_names]


def dataset_file(folder):
    canonical.write(folder / "dataset.h5", DATA, {"note": "x"})
    return folder / "dataset.h5", lambda path: arrays_of(canonical.read(path)[0])


def dynamics_file(folder):
    logits = RNG.normal(size=(2, 12, 3)).astype(np.float16)
    arrays = {"logits": logits, "prediction": logits.argmax(axis=2).astype(np.int16)}
    arrays |= {"initial": np.ones((12, 3), np.float16)}
    arrays |= {"grand": np.ones((3, 12), np.float32), "prototype_distance": np.ones(12, np.float32)}
    arrays |= {"training_logits": np.ones((2, 12, 2), np.float32), "test_logits": np.ones((2, 4, 3), np.float16)}
    storage.write_h5(folder / "seed0.h5", arrays, {"dataset": DATASET})

    def read(path):
        with dynamics.ExitStack() as stack:
            ensemble = dynamics.open_source(stack, [path], {}, LABELS, DATASET)
            return [ensemble.logits(0, epoch) for epoch in range(2)] + [ensemble.predictions(0), ensemble.grand(0, 2)]

    return folder / "seed0.h5", read


def score_file(folder):
    scores.write(folder / "el2n.h5", RNG.normal(size=12), {"dataset": DATASET})
    return folder / "el2n.h5", lambda path: [scores.read(path, DATASET, 12)]


def feature_file(folder):
    storage.write_h5(folder / "swav.h5", {"prototypes": RNG.normal(size=(12, 4))}, {"dataset": DATASET})
    return folder / "swav.h5", lambda path: [features.read_features(path, "prototypes", DATASET, 12)]


def cluster_file(folder):
    points = RNG.normal(size=(12, 4)).astype(np.float32)
    clusters = Clusters(points, points[:2], np.zeros(12, np.int32), np.ones(12, np.float32), 3.0)
    features.write_clusters(folder / "km.h5", clusters, {}, {"dataset": DATASET})

    def read(path):
        found = features.read_clusters(path, points, DATASET)
        return [found.centroids, found.assignment, found.distance, found.inertia]

    return folder / "km.h5", read


def table(folder):
    storage.write_csv(folder / "sweep.csv", pd.DataFrame({"point": [0.1, 0.2], "seed": [0, 1], "run": ["a", "b"]}))
    return folder / "sweep.csv", lambda path: [storage.read_csv(path, ("point",), "sweep").to_numpy()]


def run_file(folder):
    RunStore(folder).put(dict.fromkeys(FIELDS, 0.25) | {"identity": "abcd"})

    def read(path):
        run = RunStore(folder).get("abcd")
        if run is None:
            raise Refused
        return [str(run)]

    return folder / "ab/abcd.json", read


def checkpoint_file(folder):
    restored = []

    def checkpoint():
        made = Checkpoint(folder / "run", "identity", 0)
        made.add("part", lambda: {"x": np.arange(5)}, lambda state: restored.append(state["x"]))
        return made

    checkpoint().after(3)

    def read(path):
        restored.clear()
        if checkpoint().resume() == 0:
            raise Refused
        return restored.copy()

    return folder / ".run.checkpoint", read


def npz_file(folder):
    pixels = IMAGES.transpose(0, 2, 3, 1)
    names = np.array(["ant", "bee", "cat"])
    arrays = {"train_images": pixels, "train_labels": LABELS, "test_images": pixels[:3], "test_labels": LABELS[:3]}
    np.savez_compressed(folder / "mine.npz", **arrays, class_names=names)

    def read(path):
        return arrays_of(canonical.check(npz.read({"npz": path}, 0)[0], str(path)))

    return folder / "mine.npz", read


def png_file(folder):
    for name in ("a", "b"):
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(IMAGES[i].transpose(1, 2, 0)).save(folder / f"photos/{name}/{i}.png")
    settings = {"train": folder / "photos", "test": folder / "photos", "size": 8, "fit": "crop", "obtain": ""}
    settings["test"] = shutil.copytree(folder / "photos", folder / "test photos")
    return folder / "photos/a/0.png", lambda path: arrays_of(imagefolder.read(settings, 0)[0])


def archive(folder):
    """In the official layout, and official for this test."""
    kind, inside = datasets.CIFAR10, folder / datasets.CIFAR10.base_folder
    inside.mkdir()
    files = [name for name, _ in kind.train_list + kind.test_list]
    for name in files:
        pixels = RNG.integers(0, 256, (3, 3072), dtype=np.uint8)
        (inside / name).write_bytes(pickle.dumps({"data": pixels, "labels": [0, 1, 2]}))
    (inside / kind.meta["filename"]).write_bytes(pickle.dumps({"label_names": ["ant", "bee", "cat"]}))
    path = folder / "cifar.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(inside, kind.base_folder)

    def read(path):
        return arrays_of(cifar.read({"source": "cifar10", "archive": path}, 0)[0])

    return path, read


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    """A table that disagrees with its checksum is not looked at again."""
    monkeypatch.setattr(storage, "PATIENCE", ())


@pytest.fixture(autouse=True)
def official(monkeypatch, tmp_path):
    """Make `archive` take its own checksums for the official ones once it is written."""
    md5 = {}

    def of(path):
        return hashlib.md5(Path(path).read_bytes()).hexdigest()

    class Checksums(dict):
        def __getitem__(self, source):
            return md5.setdefault("sha256", hashlib.sha256((tmp_path / "cifar.tar.gz").read_bytes()).hexdigest())

    def check(path, _):
        return of(path) == md5.setdefault("md5", of(path))

    monkeypatch.setattr(cifar, "SHA256", Checksums())
    monkeypatch.setattr("torchvision.datasets.utils.check_integrity", check)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)


KINDS = (
    *(dataset_file, dynamics_file, score_file, feature_file, cluster_file, table, run_file, checkpoint_file),
    *(npz_file, png_file, archive),
)


def same(one, other):
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_mutated_file_is_refused_in_words_or_reads_as_before(tmp_path, kind):
    path, read = kind(tmp_path)
    whole, rng = path.read_bytes(), random.Random(kind.__name__)
    before = read(path)
    refused, accepted, messages = 0, 0, []
    while refused + accepted < MUTATIONS:
        content = mutate(whole, rng)
        if content == whole:
            continue
        path.write_bytes(content)
        try:
            found = read(path)
        except Refused:
            refused += 1
        except PipelineError as error:
            refused += 1
            messages.append(str(error))
        else:
            accepted += 1
            assert same(found, before), "a damaged file was taken for a good one"
    assert refused > 0
    assert all(str(path) in message for message in messages), "the message names the file"
    if kind not in (npz_file, png_file, run_file):  # their formats have bytes that mean nothing
        assert accepted == 0


def test_a_file_is_never_the_same_after_a_mutation_that_counts():
    """The mutations do what they are for: hardly one leaves the content as it was."""
    rng, whole = random.Random(0), RNG.bytes(1000)
    changed = [mutate(whole, rng) for _ in range(500)]
    assert sum(content != whole for content in changed) > 450
    assert len({hashlib.sha256(content).digest() for content in changed}) > 450


def test_a_mutated_jpeg_is_refused_in_words_or_is_another_picture(tmp_path):
    """JPEG has no checksum: what can still be decoded cannot be told from a picture that was meant to be so."""
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(IMAGES[i].transpose(1, 2, 0)).save(tmp_path / f"photos/{name}/{i}.jpg")
    settings = {"train": tmp_path / "photos", "test": None, "test_fraction": 0.5, "size": 8, "fit": "crop", "obtain": ""}
    path, rng, messages = tmp_path / "photos/a/0.jpg", random.Random(0), []
    whole = path.read_bytes()
    for _ in range(MUTATIONS):
        path.write_bytes(mutate(whole, rng))
        try:
            dataset, _ = imagefolder.read(settings, 0)
        except PipelineError as error:
            messages.append(str(error))
        else:
            assert dataset.train_images.shape == (2, 3, 8, 8)
    assert messages
    assert all("a/0.jpg" in message for message in messages)
