"""Confusion matrices against scikit-learn, and their way through a table."""

import numpy as np
import pytest
from sklearn import metrics

from pipeline_lib import confusion

RNG = np.random.default_rng(0)
TRUE, PREDICTED = RNG.integers(0, 5, 200), RNG.integers(0, 5, 200)


def test_counts_and_accuracies_are_those_of_scikit_learn():
    found = confusion.count(TRUE, PREDICTED, 5)
    assert np.array_equal(found, metrics.confusion_matrix(TRUE, PREDICTED))
    assert confusion.accuracy(found) == metrics.accuracy_score(TRUE, PREDICTED)
    assert confusion.class_accuracy(found) == pytest.approx(metrics.recall_score(TRUE, PREDICTED, average=None))
    assert confusion.balanced_accuracy(found) == pytest.approx(metrics.balanced_accuracy_score(TRUE, PREDICTED))


def test_a_class_without_test_images_does_not_count():
    found = confusion.count(np.array([0, 0, 0, 2]), np.array([0, 1, 0, 2]), 3)
    assert found.tolist() == [[2, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert confusion.class_accuracy(found) == [2 / 3, None, 1]
    assert confusion.balanced_accuracy(found) == pytest.approx((2 / 3 + 1) / 2)
    assert confusion.accuracy(found) == 0.75


@pytest.mark.parametrize("classes", [2, 11])
def test_a_matrix_comes_back_from_a_cell(classes):
    found = RNG.integers(0, 1000, (classes, classes))
    assert np.array_equal(confusion.from_text(confusion.to_text(found)), found)
    assert confusion.to_text(np.array([[5, 0], [1, 4]])) == "5 0;1 4"
