"""Unequal classes: how many are drawn, by hand; what is drawn; and what cannot be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data import derived
from pipeline_lib.data.count import class_counts, class_names
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.data.imbalance import kept, of_test_set
from pipeline_lib.errors import PipelineError

LABELS = np.tile([2, 0, 1, 0, 3], 20)  # 40, 20, 20 and 20 of four classes
IMAGES = np.arange(100, dtype=np.uint8)[:, None, None, None].repeat(4, axis=2)
NAMES = ["cat", "dog", "lion", "newt"]
BASE = Dataset(IMAGES, LABELS, IMAGES[:50], LABELS[:50], NAMES, [f"train/{i}" for i in range(100)])  # 20, 10, 10, 10 for testing


def section(**changes) -> dict:
    return {"counts": None, "ratio": None, "profile": "exponential", "test": "proportional"} | changes


@pytest.fixture
def derive(tmp_path):
    def derive(base=BASE, name="child", flip_labels=None, seed=0, **imbalance):
        canonical.write(tmp_path / "base.h5", base, {})
        settings = {"name": name, "base": "parent", "base_file": tmp_path / "base.h5", "per_class": None, "flip_to": "largest"}
        data, _ = derived.read(settings | {"imbalance": section(**imbalance), "flip_labels": flip_labels}, seed)
        return canonical.check(data, "here")

    return derive


def test_an_exponential_profile():
    sizes = dict(zip("abcde", [100, 100, 100, 100, 100], strict=True))
    assert kept(section(ratio=16), sizes, "") == {"a": 100, "b": 50, "c": 25, "d": 12, "e": 6}
    assert kept(section(ratio=1), sizes, "") == sizes
    assert kept(section(ratio=1000), sizes, "")["e"] == 1, "no class is left without an example"


def test_a_step_profile():
    sizes = dict(zip("abcde", [100, 100, 100, 100, 100], strict=True))
    assert kept(section(ratio=10, profile="step"), sizes, "") == {"a": 100, "b": 100, "c": 100, "d": 10, "e": 10}


def test_the_largest_class_keeps_all_and_none_is_given_what_it_lacks():
    assert kept(section(ratio=4), {"a": 30, "b": 90, "c": 40}, "") == {"a": 22, "b": 90, "c": 40}  # 22.5; 45, of which 40 are there


@given(st.lists(st.integers(1, 500), min_size=2, max_size=12), st.floats(1, 100), st.sampled_from(["exponential", "step"]))
def test_every_class_keeps_something_and_the_largest_everything(sizes, ratio, profile):
    available = {str(position): size for position, size in enumerate(sizes)}
    found = kept(section(ratio=ratio, profile=profile), available, "")
    assert list(found) == list(available)
    assert all(1 <= found[name] <= size for name, size in available.items())
    assert max(found.values()) == max(sizes)


def test_counts_leave_the_other_classes_out_in_the_order_of_the_base():
    assert list(kept(section(counts={"newt": 2, "dog": 5}), dict.fromkeys(NAMES, 9), "").items()) == [("dog", 5), ("newt", 2)]


def test_the_drawn_test_set_is_as_unequal_as_the_training_examples():
    trained = {"car": 4493, "cat": 683, "truck": 449}
    assert of_test_set(section(), trained, dict.fromkeys(trained, 1000), "") == {"car": 1000, "cat": 152, "truck": 100}
    assert of_test_set(section(test="none"), trained, dict.fromkeys(trained, 1000), "") is None
    asked = {"truck": 51, "car": 503, "cat": 71}
    assert of_test_set(section(test=asked), trained, dict.fromkeys(trained, 1000), "") == asked
    assert of_test_set(section(), {"a": 100, "b": 1}, {"a": 10, "b": 10}, "") == {"a": 10, "b": 1}
    assert of_test_set(section(), {"a": 100, "b": 10}, {"a": 10, "b": 0}, "") == {"a": 10, "b": 0}, "a class without test images"


def test_the_counts_are_what_is_drawn_and_classes_are_numbered_anew(derive):
    data = derive(counts={"newt": 20, "cat": 7, "lion": 3}, test={"newt": 4, "cat": 2, "lion": 1})
    assert data.class_names == ["cat", "lion", "newt"]
    assert np.bincount(data.train_labels).tolist() == [7, 3, 20]
    assert np.bincount(data.test_labels).tolist() == [20, 10, 10], "all test images of the classes that stay"
    assert np.bincount(data.test_labels[data.test_drawn]).tolist() == [2, 1, 4]
    assert data.test_source_id == [f"test/{position}" for position in data.test_images[:, 0, 0, 0]]
    positions = data.train_images[:, 0, 0, 0].tolist()  # an image shows its position in the base
    assert positions == sorted(positions)
    assert data.source_id == [f"train/{position}" for position in positions]
    for labels, images in ((data.train_labels, data.train_images), (data.test_labels, data.test_images)):
        assert [data.class_names[label] for label in labels] == [NAMES[LABELS[image[0, 0, 0]]] for image in images]


def test_a_ratio_keeps_all_classes(derive):
    data = derive(ratio=8)
    assert np.bincount(data.train_labels).tolist() == [40, 20, 10, 5]
    assert np.bincount(data.test_labels[data.test_drawn]).tolist() == [20, 10, 5, 2]
    assert data.class_names == NAMES
    assert derive(ratio=8, test="none").test_drawn is None


def test_wrong_labels_come_after_the_draw(derive):
    data = derive(counts={"cat": 40, "dog": 10}, flip_labels=0.1)
    assert np.bincount(data.true_labels).tolist() == [40, 10]
    moved = data.train_labels != data.true_labels
    assert np.sum(moved) == 5
    assert np.sum(data.train_labels[moved] == 0) >= 4


def test_the_draw_depends_on_name_and_seed_and_on_nothing_else(derive):
    again = [derive(name=name, seed=seed, ratio=8).fingerprint() for name, seed in [("a", 0), ("a", 0), ("b", 0), ("a", 1)]]
    assert again[0] == again[1]
    assert len(set(again)) == 3


def test_the_drawn_test_set_is_part_of_what_the_data_set_is(derive, tmp_path):
    data = derive(ratio=8)
    assert data.fingerprint() != replace(data, test_drawn=None).fingerprint() != derive(ratio=4).fingerprint()
    canonical.write(tmp_path / "child.h5", data, {})
    assert canonical.read(tmp_path / "child.h5")[0].test_drawn.tolist() == data.test_drawn.tolist()


@pytest.mark.parametrize("drawn", [[3, 1], [1, 1], [-1, 2], [49, 50]])
def test_positions_that_are_none_are_refused(drawn):
    with pytest.raises(PipelineError, match="here: the imbalanced test set must be sorted positions of the 50 test images"):
        canonical.check(replace(BASE, test_drawn=np.array(drawn)), "here")
    with pytest.raises(PipelineError, match="here: the imbalanced test set is empty"):
        canonical.check(replace(BASE, test_drawn=np.array([], dtype=np.int64)), "here")


@pytest.mark.parametrize(
    ("imbalance", "message"),
    [
        (
            {"counts": {"cat": 3, "horse": 2}},
            "datasets.child.imbalance.counts: there is no class 'horse'; accepted: cat, dog, lion, newt",
        ),
        (
            {"counts": {"cat": 41, "dog": 2}},
            "datasets.child.imbalance.counts.cat: 41 examples asked for, but the base has only 40 training images",
        ),
        (
            {"counts": {"cat": 4, "dog": 2}, "test": {"cat": 21, "dog": 1}},
            "datasets.child.imbalance.test.cat: 21 examples asked for, but the base has only 20 test images",
        ),
        (
            {"ratio": 2, "test": {"cat": 2, "rat": 1}},
            "datasets.child.imbalance.test: there is no class 'rat'; accepted: cat, dog, lion, newt",
        ),
    ],
)
def test_what_the_base_cannot_give_is_told_with_class_and_key(derive, imbalance, message):
    with pytest.raises(PipelineError) as caught:
        derive(**imbalance)
    assert str(caught.value) == message


def test_a_wrong_label_whose_right_class_is_left_out_is_refused(derive):
    noisy = replace(BASE, true_labels=np.where(np.arange(100) == 1, 2, LABELS))
    with pytest.raises(PipelineError, match=r"datasets\.child\.imbalance: 1 labels of the base are known to be wrong"):
        derive(noisy, counts={"cat": 40, "dog": 5})
    assert derive(noisy, counts={"cat": 40, "lion": 5}).true_labels.tolist().count(1) == 6


def test_sizes_and_names_are_known_before_the_data_are_there():
    counts = {"imbalance": section(counts={"newt": 2, "dog": 5}), "per_class": None}
    assert class_counts("derived", counts, None) == [2, 5]
    assert class_counts("derived", counts, None, ["dog", "newt"]) == [5, 2], "in the order of the classes, where it is known"
    assert class_names("derived", counts, NAMES) == ["dog", "newt"]
    ratio = {"imbalance": section(ratio=8), "per_class": None}
    assert class_counts("derived", ratio, [40, 20, 20, 20]) == [40, 20, 10, 5]
    assert class_counts("derived", ratio, None) is None
    assert class_names("derived", ratio, NAMES) == NAMES
    assert class_names("digits", {})[3] == "3"
    assert class_names("cifar", {"source": "cifar10"})[1] == "automobile"
    assert class_names("cifar", {"source": "cifar100"}) is None


def test_names_of_files(tmp_path):
    np.savez(tmp_path / "named.npz", class_names=np.array(["ape", "bee"]))
    np.savez(tmp_path / "bare.npz", train_labels=np.array([0, 1]))
    assert class_names("npz", {"npz": tmp_path / "named.npz"}) == ["ape", "bee"]
    assert class_names("npz", {"npz": tmp_path / "bare.npz"}) is None
    for name in ("ape", "bee"):
        (tmp_path / "folder" / name).mkdir(parents=True)
        (tmp_path / "folder" / name / "1.png").touch()
    assert class_names("imagefolder", {"train": tmp_path / "folder"}) == ["ape", "bee"]
    assert class_names("imagefolder", {"train": tmp_path / "none"}) is None
