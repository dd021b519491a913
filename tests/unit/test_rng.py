"""Randomness derives from what it is for, and from nothing else."""

import itertools

import numpy as np
import pytest

from pipeline_lib.rng import derive_seed, generator


def test_the_seeds_of_published_results_stay():
    assert derive_seed(0, "order", 3) == 6520630738536837906
    assert generator(0, "order", 3).integers(0, 1000, 4).tolist() == [52, 776, 899, 23]


@pytest.mark.parametrize("other", [(1, "order", 3), (0, "augmentation", 3), (0, "order", 4), (0, "order"), ("order", 0, 3)])
def test_every_part_counts(other):
    assert derive_seed(*other) != derive_seed(0, "order", 3)


@pytest.mark.parametrize(("left", "right"), [(("1",), (1,)), (("a", "b"), ("ab",)), (("a", ""), ("a",)), ((12, 3), (1, 23))])
def test_parts_are_not_run_together_nor_words_taken_for_numbers(left, right):
    assert derive_seed(*left) != derive_seed(*right)


def test_seeds_are_63_bit_and_spread():
    seeds = [derive_seed(0, "order", n) for n in range(1000)]
    assert len(set(seeds)) == 1000
    assert 0 <= min(seeds) < 2**54
    assert 2**63 - 2**54 < max(seeds) < 2**63


def test_generators_of_neighbouring_seeds_are_unrelated():
    draws = [generator(0, "order", n).standard_normal(1000) for n in range(5)]
    assert all(abs(np.corrcoef(a, b)[0, 1]) < 0.15 for a, b in itertools.combinations(draws, 2))
