"""What somebody should know of a data set who looks for wrong labels."""

import numpy as np

from pipeline_lib.data.dataset import Dataset
from pipeline_lib.data.oddities import oddities


def dataset(train, train_labels, test, test_labels):
    """A data set of images of one colour each."""
    images = [np.array(shades, dtype=np.uint8).reshape(-1, 1, 1, 1).repeat(4, 2).repeat(4, 3) for shades in (train, test)]
    labels = [np.array(each) for each in (train_labels, test_labels)]
    return Dataset(images[0], labels[0], images[1], labels[1], ["cat", "dog"], [f"{i}.png" for i in range(len(train))])


def test_an_ordinary_data_set_has_none():
    assert oddities(dataset([1, 2, 3, 4], [0, 0, 1, 1], [5, 6], [0, 1])) == []


def test_copies_in_the_test_set_are_counted_and_named():
    [words] = oddities(dataset([1, 2, 3, 4], [0, 0, 1, 1], [5, 4, 4], [0, 1, 1]))
    assert words.startswith("2 test images are training images as well (copies of 3.png, 3.png): accuracies")
    [words] = oddities(dataset([1, 2, 3, 4], [0, 0, 1, 1], [5, 4, 4], [0, 1, 0]))
    assert "(copies of 3.png, 3.png), 1 of them under another label: accuracies" in words


def test_equal_images_with_different_labels_are_named_and_with_equal_ones_are_not():
    [words] = oddities(dataset([1, 1, 3, 3, 3], [0, 0, 1, 1, 0], [5, 6], [0, 1]))
    assert words == "different labels of the same image, 1 times: 2.png (dog) and 4.png (cat)"


def test_classes_that_hardly_exist_are_named():
    assert oddities(dataset([1, 2, 3], [0, 0, 1], [5, 6], [0, 0])) == [
        "classes that have a single training image: dog",
        "classes that have no test image: dog",
    ]
