"""Selection: exact sizes, no duplicates, random ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import select

SHARES = st.integers(0, 100).map(lambda percent: percent / 100)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("share", "examples", "expected"), [(0.57, 100, 57), (0.58, 100, 58), (0.3, 10, 3), (0.29, 100, 29), (0.5, 3, 2)]
)
def test_a_share_is_counted_in_its_decimal_digits(share, examples, expected):
    """Defect of the thesis's code: int(.57 * 100) is 56, so .57 overwrote .56."""
    assert select.count(share, examples) == expected


@given(size=SHARES.filter(bool), start=SHARES, examples=st.integers(2, 400))
def test_a_window_has_its_exact_size_and_stays_inside(size, start, examples):
    order = rng().permutation(examples)
    if start + size > 1 or select.count(size, examples) < 1:
        return
    kept = select.window(order, start, size)
    assert len(kept) == select.count(size, examples)
    assert len(np.unique(kept)) == len(kept)
    assert (np.diff(kept) > 0).all()
    assert set(kept) <= set(range(examples))


def test_windows_run_from_easiest_to_hardest():
    scores = np.array([5.0, 1.0, 4.0, 2.0, 3.0])
    order = select.difficulty_order(scores, rng())
    assert order.tolist() == [1, 3, 4, 2, 0]
    assert select.window(order, 0, 0.4).tolist() == [1, 3]
    assert select.window(order, 0.6, 0.4).tolist() == [0, 2]


@pytest.mark.parametrize(("start", "size"), [(0.7, 0.4), (0.0, 0.001)])
def test_a_window_that_does_not_fit_is_refused(start, size):
    with pytest.raises(PipelineError, match="does not fit 10 examples"):
        select.window(np.arange(10), start, size)


def test_ties_fall_at_random_and_not_in_storage_order():
    """Defect of the thesis's code: an image folder is sorted by class, so ties in storage order drop whole classes."""
    labels = np.repeat(np.arange(10), 100)
    tied = np.zeros(1000)
    kept = select.window(select.difficulty_order(tied, rng()), 0, 0.4)
    per_class = np.bincount(labels[kept], minlength=10)
    assert per_class.min() >= 20
    storage_order = np.argsort(tied, kind="stable")[:400]
    assert np.bincount(labels[storage_order], minlength=10).min() == 0


def test_the_same_seed_breaks_ties_alike():
    tied = rng(1).integers(0, 3, 200).astype(float)
    assert np.array_equal(select.difficulty_order(tied, rng(5)), select.difficulty_order(tied, rng(5)))
    assert not np.array_equal(select.difficulty_order(tied, rng(5)), select.difficulty_order(tied, rng(6)))


def test_ties_never_outrank_scores():
    scores = rng(1).integers(0, 5, 300).astype(float)
    assert (np.diff(scores[select.difficulty_order(scores, rng(2))]) >= 0).all()


@given(size=SHARES.filter(bool), examples=st.integers(1, 300))
def test_a_random_subset_has_its_exact_size(size, examples):
    kept = select.random_subset(examples, size, rng())
    assert len(kept) == len(np.unique(kept)) == min(select.count(size, examples), examples)


def test_a_class_that_vanishes_is_named():
    labels = np.array([0, 0, 1, 1, 2])
    select.require_all_classes(np.array([0, 2, 4]), labels, ["ant", "bee", "cat"], "window")
    with pytest.raises(PipelineError, match=r"by el2n.*class bee, cat is left among 2 kept.*missing_classes: allow"):
        select.require_all_classes(np.array([0, 1]), labels, ["ant", "bee", "cat"], "by el2n")
