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


def test_copies_in_the_test_set_are_counted_and_named_once():
    copies, effect = oddities(dataset([1, 2, 3, 4], [0, 0, 1, 1], [5, 4, 4, 6], [0, 1, 1, 0]))
    assert copies == "2 test images are training images as well (copies of 3.png)"
    assert effect == "accuracies are too high by up to 50.0% for that"


def test_copies_under_another_label_flatter_nobody():
    [copies] = oddities(dataset([1, 2, 3, 4], [0, 0, 1, 1], [4, 5, 6], [0, 1, 0]))
    assert copies == "1 test images are training images as well, 1 of them under another label (copies of 3.png)"
    found = oddities(dataset([1, 2, 4, 4], [0, 0, 1, 0], [4, 5], [0, 1]))
    assert found[0].startswith("1 test images are training images as well (copies of 2.png)"), "one of the copies agrees"


def test_equal_images_with_different_labels_are_named_and_with_equal_ones_are_not():
    [words] = oddities(dataset([1, 1, 3, 3, 3], [0, 0, 1, 1, 0], [5, 6], [0, 1]))
    assert words == "training images that come several times, with different labels: 2.png (dog) and 4.png (cat)"


def test_of_many_the_first_are_named():
    shades = list(range(1, 6))
    [words] = oddities(dataset(shades * 2, [0] * 5 + [1] * 5, [50, 60], [0, 1]))
    assert words.endswith("2.png (cat) and 7.png (dog) and 2 more")


def test_classes_that_hardly_exist_are_named():
    assert oddities(dataset([1, 2, 3], [0, 0, 1], [5, 6], [0, 0])) == [
        "classes that have a single training image: dog",
        "classes that have no test image: dog",
    ]
