"""Data sets made from another: fewer examples per class, or wrong labels."""

import numpy as np
import pytest

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data import derived
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError

LABELS = np.tile([2, 0, 1, 0], 25)  # 50, 25 and 25 of three classes
IMAGES = np.arange(100, dtype=np.uint8)[:, None, None, None].repeat(4, axis=2)
BASE = Dataset(IMAGES, LABELS, IMAGES[:3], np.array([2, 1, 0]), ["cat", "dog", "lion"], [f"train/{i}" for i in range(100)])


@pytest.fixture
def derive(tmp_path):
    def derive(name="child", base=BASE, per_class=None, flip_labels=None, flip_to="other", seed=0):
        canonical.write(tmp_path / "base.h5", base, {})
        settings = {"name": name, "base": "parent", "base_file": tmp_path / "base.h5", "imbalance": None}
        data, note = derived.read(settings | {"per_class": per_class, "flip_labels": flip_labels, "flip_to": flip_to}, seed)
        assert note == "derived from parent"
        return canonical.check(data, "here")

    return derive


def test_without_a_change_it_is_the_base(derive):
    assert derive().fingerprint() == BASE.fingerprint()


@pytest.mark.parametrize("per_class", [1, 7, 25])
def test_a_subset_holds_exactly_so_many_of_each_class_in_the_old_order(derive, per_class):
    data = derive(per_class=per_class)
    assert np.bincount(data.train_labels).tolist() == [per_class] * 3
    positions = data.train_images[:, 0, 0, 0].tolist()  # an image shows its position in the base
    assert positions == sorted(positions)
    assert data.source_id == [f"train/{position}" for position in positions]
    assert data.train_labels.tolist() == LABELS[positions].tolist()
    assert data.true_labels is None


def test_a_subset_is_drawn_from_the_whole_class(derive):
    positions = derive(per_class=10).train_images[:, 0, 0, 0]
    assert positions.min() < 20
    assert positions.max() > 80


def test_too_few_examples_are_told_with_class_and_key(derive):
    with pytest.raises(PipelineError) as caught:
        derive(per_class=26)
    assert str(caught.value) == "datasets.child.per_class: class dog has only 25 training examples, 26 were asked for"


@pytest.mark.parametrize(("share", "moved"), [(0.1, 10), (0.125, 12), (0.004, 0), (0.37, 37)])
def test_exactly_the_share_of_labels_is_moved_and_the_truth_is_kept(derive, share, moved):
    data = derive(flip_labels=share)
    assert np.sum(data.train_labels != LABELS) == moved
    assert np.array_equal(data.true_labels, LABELS)
    assert np.array_equal(data.train_images, IMAGES)
    assert data.source_id == BASE.source_id


def test_labels_move_to_every_other_class(derive):
    data = derive(flip_labels=0.6)
    moved = data.train_labels != LABELS
    pairs = set(zip(LABELS[moved].tolist(), data.train_labels[moved].tolist(), strict=True))
    assert pairs == {(a, b) for a in range(3) for b in range(3) if a != b}


def test_pairwise_noise_moves_every_label_to_the_class_that_follows(derive):
    data = derive(flip_labels=0.6, flip_to="next")
    moved = data.train_labels != LABELS
    assert np.sum(moved) == 60
    assert np.array_equal(data.train_labels[moved], (LABELS[moved] + 1) % 3)


def test_most_wrong_labels_go_to_the_largest_class(derive):
    data = derive(flip_labels=0.2, flip_to="largest")
    moved = data.train_labels != LABELS
    assert np.sum(moved) == 20
    assert np.sum(data.train_labels[moved] == 0) >= 16  # four in five of twenty
    assert np.array_equal(data.true_labels, LABELS)
    assert set(LABELS[moved & (data.train_labels == 0)].tolist()) == {1, 2}


def test_more_labels_for_the_largest_class_than_others_have_are_refused(derive):
    with pytest.raises(PipelineError, match=r"datasets\.child\.flip_labels: 56 labels of smaller classes .* but only 50 are right"):
        derive(flip_labels=0.7, flip_to="largest")


def test_the_test_set_never_changes(derive):
    data = derive(per_class=5, flip_labels=0.5)
    assert np.array_equal(data.test_images, BASE.test_images)
    assert np.array_equal(data.test_labels, BASE.test_labels)


def test_both_changes_subset_first(derive):
    data = derive(per_class=20, flip_labels=0.1)
    assert np.bincount(data.true_labels).tolist() == [20] * 3
    assert np.sum(data.train_labels != data.true_labels) == 6
    positions = data.train_images[:, 0, 0, 0]
    assert data.true_labels.tolist() == LABELS[positions].tolist()


@pytest.mark.parametrize("change", [{"per_class": 10}, {"flip_labels": 0.2}])
def test_the_draw_depends_on_name_and_seed_and_on_nothing_else(derive, change):
    again = [derive(name, seed=seed, **change).fingerprint() for name, seed in [("a", 0), ("a", 0), ("b", 0), ("a", 1)]]
    assert again[0] == again[1]
    assert len(set(again)) == 3


def test_moving_labels_twice_never_makes_a_wrong_one_right(derive):
    first = derive("first", flip_labels=0.4)
    second = derive("second", base=first, flip_labels=0.3)
    assert np.array_equal(second.true_labels, LABELS)
    assert np.sum(second.train_labels != LABELS) == 70
    assert np.sum(second.train_labels != first.train_labels) == 30


def test_more_wrong_labels_than_right_ones_to_move_are_refused(derive):
    first = derive("first", flip_labels=0.6)
    with pytest.raises(PipelineError, match=r"datasets\.child\.flip_labels: 50 labels .* only 40 of the base are right"):
        derive(base=first, flip_labels=0.5)


def test_a_subset_of_wrong_labels_keeps_their_truth(derive):
    noisy = derive("noisy", flip_labels=0.3)
    data = derive(base=noisy, per_class=8)
    positions = data.train_images[:, 0, 0, 0]
    assert data.true_labels.tolist() == LABELS[positions].tolist()
    assert data.train_labels.tolist() == noisy.train_labels[positions].tolist()
