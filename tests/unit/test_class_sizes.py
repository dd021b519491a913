"""The table of a data set's classes."""

import numpy as np

from pipeline_lib.data.class_sizes import class_sizes
from pipeline_lib.data.dataset import Dataset


def sizes(true_labels, pixel=0):
    images = np.full((5, 1, 2, 2), pixel, dtype=np.uint8)
    names, ids = ["cat", "dog", "owl"], list("abcde")
    dataset = Dataset(images, np.array([0, 1, 2, 2, 2]), images[:2], np.array([2, 0]), names, ids, true_labels)
    return class_sizes(dataset, dataset.fingerprint())


def test_images_are_counted_by_their_given_label():
    table = sizes(np.array([0, 1, 2, 1, 0]))
    assert table.drop(columns="dataset").to_dict("list") == {
        "label": [0, 1, 2],
        "class": ["cat", "dog", "owl"],
        "train": [1, 1, 3],
        "test": [1, 0, 1],
        "wrong": [0, 0, 2],
    }


def test_where_the_truth_is_not_known_no_label_is_said_to_be_wrong():
    assert sizes(None)["wrong"].isna().all()


def test_the_table_changes_with_a_pixel():
    one, other = sizes(None), sizes(None, pixel=1)
    assert one["dataset"].nunique() == 1
    assert (one["dataset"] != other["dataset"]).all()
    assert one.drop(columns="dataset").equals(other.drop(columns="dataset"))
