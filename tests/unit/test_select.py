"""Selection: exact sizes, no duplicates, random ties, the same share of every class."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import select

SHARES = st.integers(0, 100).map(lambda percent: percent / 100)
SCORES = st.lists(st.integers(0, 30), min_size=2, max_size=80)  # with ties
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=8)  # of classes


def rng(seed=0):
    return np.random.default_rng(seed)


def classes(sizes, seed=0):
    """Labels of classes of the given sizes, in random order, and a score for each example without ties."""
    labels = rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return labels, rng(seed + 1).permutation(len(labels)).astype(float)


@pytest.mark.parametrize(
    ("share", "examples", "expected"), [(0.57, 100, 57), (0.58, 100, 58), (0.3, 10, 3), (0.29, 100, 29), (0.5, 3, 2)]
)
def test_a_share_is_counted_in_its_decimal_digits(share, examples, expected):
    """Defect of the thesis's code: int(.57 * 100) is 56, so .57 overwrote .56."""
    assert select.count(share, examples) == expected


@pytest.mark.parametrize(
    ("share", "sizes", "taken"),
    [
        (0.4, [10, 5, 3], [4, 2, 1]),  # 7 of 7.2
        (0.5, [3, 3, 4], [2, 1, 2]),  # 1.5, 1.5 and 2: the example that is missing comes from the first of two equals
        (0.3, [7, 8], [2, 3]),  # 5 of 4.5: 2.1 and 2.4, the larger remainder is rounded up
        (1, [3, 1], [3, 1]),
        (0, [3, 1], [0, 0]),
    ],
)
def test_largest_remainders_by_hand(share, sizes, taken):
    assert select.apportion(share, np.array(sizes)).tolist() == taken


@given(share=SHARES, sizes=SIZES)
def test_every_group_gives_its_share_to_less_than_one_and_all_together_give_it_exactly(share, sizes):
    taken = select.apportion(share, np.array(sizes))
    assert taken.sum() == select.count(share, sum(sizes))
    assert all(abs(count - select.exact(share) * size) < 1 for count, size in zip(taken.tolist(), sizes, strict=True))


@given(size=SHARES.filter(bool), start=SHARES, examples=st.integers(2, 400))
def test_a_window_has_its_exact_size_and_stays_inside(size, start, examples):
    order = rng().permutation(examples)
    assume(select.exact(start) + select.exact(size) <= 1 and select.count(size, examples) >= 1)
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


@given(sizes=SIZES, size=SHARES.filter(bool), start=SHARES)
def test_a_balanced_window_is_a_window_of_every_class_with_the_same_share(sizes, size, start):
    labels, scores = classes(sizes)
    assume(select.exact(start) + select.exact(size) <= 1 and select.count(size, len(labels)) >= 1)
    order = select.difficulty_order(scores, rng())
    kept = select.window(order, start, size, labels)
    assert len(kept) == len(np.unique(kept)) == select.count(size, len(labels))
    for label, of_class in enumerate(sizes):
        places = np.flatnonzero(np.isin(order[labels[order] == label], kept))  # in the class's own order
        assert abs(len(places) - select.exact(size) * of_class) < 1
        assert (np.diff(places) == 1).all()
        if len(places):
            assert abs(places[0] - select.exact(start) * of_class) < 2, "two roundings"


def test_every_class_keeps_its_own_share_and_not_that_of_the_last():
    """Defect of CCS's code: its class-balanced branch takes the last class's count for every class."""
    labels, scores = classes([100, 10, 50])
    kept = select.window(select.difficulty_order(scores, rng()), 0.2, 0.3, labels)
    assert np.bincount(labels[kept]).tolist() == [30, 3, 15]


@given(sizes=SIZES, size=SHARES.filter(bool))
def test_a_balanced_window_reaches_the_easiest_and_the_hardest_of_every_class(sizes, size):
    labels, scores = classes(sizes)
    assume(select.count(size, len(labels)) >= 1)
    order = select.difficulty_order(scores, rng())
    easiest, hardest = select.window(order, 0, size, labels), select.window(order, 1 - select.exact(size), size, labels)
    assert np.array_equal(np.bincount(labels[easiest]), np.bincount(labels[hardest]))
    for label in np.unique(labels[easiest]):
        of_class = order[labels[order] == label]
        assert of_class[0] in easiest
        assert of_class[-1] in hardest


@given(smaller=SHARES.filter(bool), larger=SHARES.filter(bool), examples=st.integers(1, 200))
def test_windows_that_begin_alike_are_nested(smaller, larger, examples):
    assume(smaller <= larger and select.count(smaller, examples) >= 1)
    order = rng().permutation(examples)
    assert set(select.window(order, 0, smaller)) <= set(select.window(order, 0, larger))


RULES = {
    "window": lambda scores, labels: select.window(select.difficulty_order(scores, rng()), 0.3, 0.4),
    "balanced window": lambda scores, labels: select.window(select.difficulty_order(scores, rng()), 0.3, 0.4, labels),
    "stratified": lambda scores, labels: select.stratified(scores, 0.4, 5, 0.1, rng()),
    "balanced stratified": lambda scores, labels: select.stratified(scores, 0.4, 5, 0.1, rng(), labels),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("seed", range(5))
def test_the_same_examples_are_kept_wherever_they_are_stored(rule, seed):
    """CCS and D2 index the score table after dropping the hardest and map positions back by hand."""
    labels, scores = classes([40, 25, 9], seed)
    scores = scores**2  # strata of unequal sizes
    place = rng(seed + 2).permutation(len(scores))  # example i is stored at place[i]
    moved_scores, moved_labels = np.empty_like(scores), np.empty_like(labels)
    moved_scores[place], moved_labels[place] = scores, labels
    assert np.array_equal(rule(moved_scores, moved_labels), np.sort(place[rule(scores, labels)]))


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


def test_a_class_that_vanishes_is_named():
    labels = np.array([0, 0, 1, 1, 2])
    select.require_all_classes(np.array([0, 2, 4]), labels, ["ant", "bee", "cat"], "window")
    with pytest.raises(PipelineError, match=r"by el2n.*class bee, cat is left among 2 kept.*missing_classes: allow"):
        select.require_all_classes(np.array([0, 1]), labels, ["ant", "bee", "cat"], "by el2n")


# three strata of width 1 (two, six and four examples) once the three outliers are gone; with them all would share the first
STRATA = [[0.0, 0.5], [1.1, 1.2, 1.3, 1.4, 1.6, 1.9], [2.2, 2.5, 2.8, 3.0], [70.0, 80.0, 90.0]]


@pytest.mark.parametrize(
    ("size", "of_each"),
    [
        (0.6, [2, 4, 3, 0]),  # 9 // 3 are more than the first has; 7 // 2 of the third, then 4 are left
        (0.4, [2, 2, 2, 0]),
        (0.8, [2, 6, 4, 0]),
        (5 / 15, [1, 2, 2, 0]),  # 5 // 3, then 4 // 2
    ],
)
def test_strata_are_filled_like_water_from_the_smallest(size, of_each):
    scores, stratum = np.concatenate(STRATA), np.repeat(range(4), [len(members) for members in STRATA])
    storage = rng().permutation(len(scores))
    for seed in range(10):
        kept = select.stratified(scores[storage], size, 3, 0.2, rng(seed))
        assert np.bincount(stratum[storage][kept], minlength=4).tolist() == of_each


def test_who_is_kept_of_a_stratum_is_chosen_at_random():
    scores = np.concatenate(STRATA)
    subsets = {tuple(select.stratified(scores, 0.4, 3, 0.2, rng(seed))) for seed in range(30)}
    assert set().union(*subsets) == set(range(12)), "everybody but the outliers"
    assert len(subsets) > 10


@given(
    scores=st.lists(st.integers(0, 30), min_size=2, max_size=80), size=SHARES.filter(bool), cutoff=SHARES, strata=st.integers(1, 60)
)
def test_a_stratified_subset_has_its_exact_size_and_nothing_of_the_hardest(scores, size, cutoff, strata):
    scores = np.array(scores, dtype=float)
    assume(select.exact(size) + select.exact(cutoff) <= 1 and select.count(size, len(scores)) >= 1)
    kept = select.stratified(scores, size, strata, cutoff, rng())
    assert len(kept) == len(np.unique(kept)) == select.count(size, len(scores))
    assert (np.diff(kept) > 0).all()
    assert set(kept) <= set(range(len(scores)))
    dropped = min(select.count(cutoff, len(scores)), len(scores) - len(kept))
    assert scores[kept].max() <= np.sort(scores)[len(scores) - dropped - 1]


def test_where_both_are_rounded_up_the_size_comes_before_the_cutoff():
    assert select.stratified(np.arange(5.0), 0.5, 3, 0.5, rng()).tolist() == [0, 1, 2], "2.5 kept and 2.5 dropped"


@given(sizes=SIZES, size=SHARES.filter(bool), cutoff=SHARES)
def test_balanced_strata_keep_the_same_share_of_every_class(sizes, size, cutoff):
    labels, scores = classes(sizes)
    assume(select.exact(size) + select.exact(cutoff) <= 1 and select.count(size, len(labels)) >= 1)
    kept = select.stratified(scores, size, 10, cutoff, rng(), labels)
    assert len(kept) == len(np.unique(kept)) == select.count(size, len(labels))
    for label, of_class in enumerate(sizes):
        assert abs((labels[kept] == label).sum() - select.exact(size) * of_class) < 1


@pytest.mark.parametrize(("size", "cutoff"), [(0.8, 0.3), (0.01, 0.1)])
def test_more_than_the_cutoff_leaves_is_refused(size, cutoff):
    with pytest.raises(PipelineError, match=f"keeping {size} of 10 examples does not go with a cutoff of {cutoff}"):
        select.stratified(np.arange(10.0), size, 5, cutoff, rng())
