"""CIFAR from the official archive, here a tiny one of the same layout with its own checksums."""

import functools
import hashlib
import http.server
import pickle
import tarfile
import threading

import numpy as np
import pytest
from torchvision import datasets
from torchvision.datasets import utils

from pipeline_lib.data import cifar
from pipeline_lib.data import dataset as canonical
from pipeline_lib.errors import PipelineError

KINDS = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}
PER_FILE = 3
both = pytest.mark.parametrize("source", KINDS)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The address of a web server on this machine and the folder it shows."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "server"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=folder)) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()
        thread.join()


@pytest.fixture
def official(tmp_path, server, monkeypatch):
    """Make an archive in the official layout and have torchvision take it for the official one -> (archive, its batches)."""

    def make(source):
        kind = KINDS[source]
        folder = tmp_path / kind.base_folder
        folder.mkdir()
        labels, names = ("labels", "label_names") if source == "cifar10" else ("fine_labels", "fine_label_names")
        batches = {}
        for position, (name, _) in enumerate(kind.train_list + kind.test_list):
            pixels = np.random.default_rng(position).integers(0, 256, (PER_FILE, 3072), dtype=np.uint8)
            batches[name] = {"data": pixels, labels: [(position + n) % 3 for n in range(PER_FILE)]}
            (folder / name).write_bytes(pickle.dumps(batches[name]))
        meta = kind.meta["filename"]
        (folder / meta).write_bytes(pickle.dumps({names: ["cat", "dog", "frog"]}))
        address, shown = server
        archive = shown / kind.filename
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder, kind.base_folder)
        for files in ("train_list", "test_list"):
            monkeypatch.setattr(kind, files, [[name, md5(folder / name)] for name, _ in getattr(kind, files)])
        monkeypatch.setattr(kind, "meta", kind.meta | {"md5": md5(folder / meta)})
        monkeypatch.setattr(kind, "tgz_md5", md5(archive))
        monkeypatch.setitem(cifar.SHA256, source, sha256(archive))
        monkeypatch.setattr(kind, "url", f"{address}/{kind.filename}")
        return archive, batches

    return make


@pytest.fixture
def place(tmp_path):
    """Where the pipeline keeps the archive."""
    (tmp_path / "my archives").mkdir()
    return tmp_path / "my archives" / "cifar.tar.gz"


@both
def test_the_archive_is_downloaded_and_read_in_the_official_order(official, place, source):
    _, batches = official(source)
    cifar.download(source, place)
    data, note = cifar.read({"source": source, "archive": str(place)}, seed=0)
    canonical.check(data, "here")
    *train, test = batches.values()
    pixels = np.concatenate([batch["data"] for batch in train]).reshape(-1, 3, 32, 32)
    assert np.array_equal(data.train_images, pixels)
    assert np.array_equal(data.test_images, test["data"].reshape(-1, 3, 32, 32))
    assert data.train_labels.tolist() == [label for batch in train for label in list(batch.values())[1]]
    assert data.test_labels.tolist() == list(test.values())[1]
    assert data.class_names == ["cat", "dog", "frog"]
    assert data.source_id == [f"train/{n}" for n in range(len(pixels))]
    assert "Krizhevsky" in note


def test_reading_leaves_nothing_but_the_archive(official, place):
    official("cifar10")
    cifar.download("cifar10", place)
    cifar.read({"source": "cifar10", "archive": str(place)}, seed=0)
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.parametrize("damage", [lambda whole: whole[:-10], lambda whole: b"", lambda whole: whole[:-1] + b"\1"])
def test_a_download_that_differs_from_the_checksum_is_not_kept(official, place, damage):
    archive, _ = official("cifar10")
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(PipelineError, match=r"cifar\.tar\.gz: the download is cut short or damaged .*Run the same command again"):
        cifar.download("cifar10", place)
    assert list(place.parent.iterdir()) == []


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"", lambda whole: whole + b"\0"])
def test_nothing_is_unpacked_or_unpickled_before_the_checksum_has_passed(official, place, monkeypatch, damage):
    archive, _ = official("cifar10")
    place.write_bytes(damage(archive.read_bytes()))

    def never(*args, **kwargs):
        raise AssertionError("touched before its checksum had passed")

    monkeypatch.setattr(utils, "extract_archive", never)
    monkeypatch.setattr(tarfile, "open", never)
    monkeypatch.setattr(pickle, "load", never)
    with pytest.raises(PipelineError, match=r"cifar\.tar\.gz: checksum differs .*Delete it and run again$"):
        cifar.read({"source": "cifar10", "archive": str(place)}, seed=0)
    assert list(place.parent.iterdir()) == [place]


def test_an_archive_with_a_forged_md5_is_neither_kept_nor_read(official, place, monkeypatch):
    archive, _ = official("cifar10")
    monkeypatch.setitem(cifar.SHA256, "cifar10", "0" * 64)
    with pytest.raises(PipelineError, match=r"cifar\.tar\.gz: the download is not the official archive"):
        cifar.download("cifar10", place)
    assert list(place.parent.iterdir()) == []
    place.write_bytes(archive.read_bytes())
    with pytest.raises(PipelineError, match="checksum differs"):
        cifar.read({"source": "cifar10", "archive": str(place)}, seed=0)


def test_an_archive_cannot_write_outside_its_folder(official, place, monkeypatch, tmp_path):
    official("cifar10")
    with tarfile.open(place, "w:gz") as tar:
        (tmp_path / "evil").write_text("evil")
        tar.add(tmp_path / "evil", "../escaped")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5(place))  # somebody made the checksums fit
    monkeypatch.setitem(cifar.SHA256, "cifar10", sha256(place))
    with pytest.raises(tarfile.OutsideDestinationError):
        cifar.read({"source": "cifar10", "archive": str(place)}, seed=0)
    assert list(place.parent.iterdir()) == [place]


@both
@pytest.mark.parametrize("trouble", ["nobody answers", "not found"])
def test_without_the_archive_the_message_says_what_to_do_by_hand(server, place, monkeypatch, source, trouble):
    url = f"{server[0]}/x" if trouble == "not found" else "http://127.0.0.1:9/x"
    monkeypatch.setattr(KINDS[source], "url", url)
    with pytest.raises(PipelineError) as caught:
        cifar.download(source, place)
    if trouble == "not found":
        caught.value.__cause__.close()  # the answer of the server hangs on the exception
    message = str(caught.value)
    assert message.startswith(f"{place}: cannot be downloaded from {url} (")
    assert message.endswith(f"Put the archive there by hand, or an .npz where `datasets.{source}.npz` in config.yaml points")
    assert list(place.parent.iterdir()) == []
