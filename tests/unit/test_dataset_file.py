"""The canonical data set: what can be trained on, the file it is kept in, and the stratified split."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_lib import seal
from pipeline_lib.data import dataset as canonical
from pipeline_lib.data.dataset import Dataset, stratified_split
from pipeline_lib.errors import PipelineError

IMAGES = np.arange(4 * 3 * 2 * 5, dtype=np.uint8).reshape(4, 3, 2, 5)
DATA = Dataset(
    train_images=IMAGES,
    train_labels=np.array([1, 0, 1, 2]),
    test_images=IMAGES[:2] + 1,
    test_labels=np.array([0, 0]),
    class_names=["Katze", "Hund", "Löwe"],
    source_id=["a/1 ü.png", "a/2.png", "b/1.png", "c/1.png"],
    test_source_id=["a/9.png", "b/9.png"],
)


def same(left, right):
    """Whether every field is equal; `==` of a dataclass stumbles over arrays."""
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in Dataset.__dataclass_fields__)


def test_a_sound_data_set_passes_unchanged():
    assert canonical.check(DATA, "here") is DATA
    assert DATA.classes == 3


SHAPE = "images must be uint8 of shape (N, 1 or 3, H, W), not"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_images": IMAGES / 255}, f"here: train {SHAPE} float64 (4, 3, 2, 5)"),
        ({"train_images": IMAGES[:, 0]}, f"here: train {SHAPE} uint8 (4, 2, 5)"),
        ({"test_images": IMAGES[:2, :2]}, f"here: test {SHAPE} uint8 (2, 2, 2, 5)"),
        ({"train_labels": np.array([0, 1, 2])}, "here: 4 train images but labels of shape (3,)"),
        ({"source_id": ["a", "b"]}, "here: 4 train images but 2 files or positions that they came from"),
        ({"test_source_id": ["a"]}, "here: 2 test images but 1 files or positions that they came from"),
        ({"test_images": IMAGES[:0], "test_labels": np.array([], int)}, "here: no test images"),
        ({"train_labels": np.array([0, 1, 2, 3])}, "here: train labels run from 0 to 3, but there are 3 classes (0 to 2)"),
        ({"test_labels": np.array([-1, 0])}, "here: test labels run from -1 to 0, but there are 3 classes (0 to 2)"),
        ({"test_images": IMAGES[:2, :1]}, "here: training images are (3, 2, 5), test images (1, 2, 5)"),
        ({"train_labels": np.array([0, 0, 1, 1])}, "here: no training image of class Löwe"),
        (
            {"class_names": ["all"], "train_labels": np.zeros(4, int)},
            "here: only one class (all); at least two are needed",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_refused_in_words(change, message):
    with pytest.raises(PipelineError) as caught:
        canonical.check(replace(DATA, **change), "here")
    assert str(caught.value) == message


@pytest.mark.parametrize("true_labels", [None, np.array([1, 1, 1, 2])])
def test_the_file_gives_back_what_was_written(tmp_path, true_labels):
    data, path = replace(DATA, true_labels=true_labels), tmp_path / "dataset.h5"
    canonical.write(path, data, {"source": {"source": "npz"}, "note": "none", "seed": 0})
    back, fingerprint = canonical.read(path)
    assert same(back, data)
    assert back.train_images.dtype == np.uint8
    assert fingerprint == back.fingerprint() == data.fingerprint()


def test_labels_are_read_without_the_images(tmp_path, monkeypatch):
    path = tmp_path / "dataset.h5"
    canonical.write(path, DATA, {})
    seen, read = [], h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, *args: seen.append(self.name) or read(self, *args))
    labels, names, fingerprint = canonical.read_labels(path)
    assert (labels.tolist(), names, fingerprint) == ([1, 0, 1, 2], DATA.class_names, DATA.fingerprint())
    assert seen == ["/train/labels", "/class_names"]


@pytest.mark.parametrize("read", [canonical.read, canonical.read_labels])
def test_a_damaged_file_names_the_rule_that_rebuilds_it(tmp_path, read):
    path = tmp_path / "dataset.h5"
    canonical.write(path, DATA, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(PipelineError, match=r"dataset\.h5: damaged or cut short .*\(rule prepare_dataset\)"):
        read(path)


@pytest.mark.parametrize("read", [canonical.read, canonical.read_labels])
@pytest.mark.parametrize("lost", [*canonical.ARRAYS, "fingerprint"])
def test_a_file_that_lacks_something_is_refused(tmp_path, read, lost):
    path = tmp_path / "dataset.h5"
    canonical.write(path, DATA, {})
    with h5py.File(path, "r+") as file:
        del (file.attrs if lost == "fingerprint" else file)[lost]
    seal.stamp(path)
    with pytest.raises(PipelineError, match=rf"dataset\.h5: lacks (its )?{lost}\. Delete it .*\(rule prepare_dataset\)"):
        read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"train_images": IMAGES ^ (np.arange(IMAGES.size).reshape(IMAGES.shape) == 7).astype(np.uint8)},
        {"train_labels": np.array([1, 0, 2, 2])},
        {"test_images": IMAGES[:2]},
        {"test_labels": np.array([0, 1])},
        {"class_names": ["Katze", "Hund", "Leu"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_fingerprint_sees_every_image_label_and_name(change):
    assert replace(DATA, **change).fingerprint() != DATA.fingerprint()


labels_of_classes = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array)


@settings(deadline=None)  # a busy machine is no defect
@given(labels_of_classes, st.floats(0.01, 0.99), st.integers(0, 10))
def test_a_stratified_split_takes_its_share_of_every_class(labels, fraction, seed):
    rest, held_out = stratified_split(labels, fraction, np.random.default_rng(seed))
    assert np.array_equal(np.union1d(rest, held_out), np.arange(len(labels)))
    assert len(rest) + len(held_out) == len(labels)
    assert np.array_equal(rest, np.sort(rest))
    assert np.array_equal(held_out, np.sort(held_out))
    for label in np.unique(labels):
        size, taken = np.sum(labels == label), np.sum(labels[held_out] == label)
        assert taken == (0 if size == 1 else np.clip(round(fraction * size), 1, size - 1))


def test_a_stratified_split_is_drawn_and_not_cut_off():
    labels = np.repeat([0, 1], 50)
    splits = {tuple(stratified_split(labels, 0.2, np.random.default_rng(seed))[1]) for seed in (0, 0, 1, 2)}
    assert len(splits) == 3
    assert all(10 < np.mean(np.array(split) % 50) < 40 for split in splits)
