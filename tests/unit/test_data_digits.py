"""The digits that ship with scikit-learn, split once and for all."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data import digits

SETTINGS = {"source": "digits", "test_fraction": 0.2}


@pytest.fixture(scope="module")
def data():
    return digits.read(SETTINGS, seed=0)[0]


def test_a_fifth_of_every_class_is_held_out(data):
    sizes = np.bincount(load_digits().target)
    held_out = np.bincount(data.test_labels)
    assert held_out.tolist() == [round(0.2 * size) for size in sizes]
    assert (np.bincount(data.train_labels) + held_out).tolist() == sizes.tolist()
    assert (len(data.train_labels), len(data.test_labels)) == (1438, 359)


def test_images_are_the_originals_as_bytes(data):
    canonical.check(data, "digits")
    assert data.train_images.shape == (1438, 1, 8, 8)
    assert data.test_images.shape == (359, 1, 8, 8)
    assert (data.train_images.min(), data.train_images.max()) == (0, 255)
    original = load_digits()
    for position in (0, 700, -1):
        source = int(data.source_id[position].removeprefix("digits/"))
        assert np.abs(data.train_images[position, 0] / 255 * 16 - original.images[source]).max() < 0.05
        assert data.train_labels[position] == original.target[source]


def test_training_and_test_share_no_source_and_leave_none_out(data):
    sources = [int(name.removeprefix("digits/")) for name in data.source_id]
    assert sources == sorted(set(sources))
    rest = np.setdiff1d(np.arange(1797), sources)
    assert data.test_labels.tolist() == load_digits().target[rest].tolist()
    assert data.test_source_id == [f"digits/{position}" for position in rest]


def test_the_split_depends_on_the_seed_and_on_nothing_else(data):
    assert digits.read(SETTINGS, seed=0)[0].fingerprint() == data.fingerprint()
    assert digits.read(SETTINGS, seed=1)[0].source_id != data.source_id


def test_the_classes_are_named_and_the_licence_is_noted(data):
    assert data.class_names == list("0123456789")
    assert "CC BY 4.0" in digits.read(SETTINGS, seed=0)[1]
