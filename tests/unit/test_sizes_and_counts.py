"""What is known of a study before anything is read: how many examples there are, and how many an experiment keeps."""

import numpy as np
import pytest
from PIL import Image

from pipeline_lib.config import SWEPT, Recipe, plain
from pipeline_lib.config.experiments import BEYOND, Experiments
from pipeline_lib.data import digits, imagefolder
from pipeline_lib.data.count import class_counts
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import plan, sizes
from tests.unit.studies import experiment_section

FOLDER = {"test": None, "test_fraction": 0.2, "size": 8, "fit": "crop", "obtain": ""}


@pytest.mark.parametrize("fraction", [0.2, 0.33, 0.9])
def test_the_digits_are_counted_as_they_are_read(fraction):
    dataset, _ = digits.read({"test_fraction": fraction}, 0)
    assert class_counts("digits", {"test_fraction": fraction}) == np.bincount(dataset.train_labels).tolist()


@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_a_folder_is_counted_as_it_is_read(tmp_path, fraction):
    for name, number in (("a", 1), ("b", 2), ("c", 11)):
        (tmp_path / name).mkdir()
        for i in range(number):
            Image.new("RGB", (8, 8)).save(tmp_path / name / f"{i}.png")
    settings = FOLDER | {"train": str(tmp_path), "test_fraction": fraction}
    dataset, _ = imagefolder.read(settings, 0)
    assert class_counts("imagefolder", settings) == np.bincount(dataset.train_labels).tolist()
    assert class_counts("imagefolder", settings | {"test": "elsewhere"}) == [1, 2, 11]


def test_what_cannot_be_counted_is_none(tmp_path):
    assert class_counts("imagefolder", FOLDER | {"train": str(tmp_path / "none")}) is None
    assert class_counts("npz", {"npz": str(tmp_path / "none.npz")}) is None
    assert class_counts("derived", {"per_class": 5, "imbalance": None}, None) is None


def test_an_npz_is_counted_by_its_labels(tmp_path):
    np.savez(tmp_path / "x.npz", train_labels=np.array([0, 2, 2]))
    assert class_counts("npz", {"npz": str(tmp_path / "x.npz")}) == [1, 0, 2]


def test_cifar_and_what_is_derived_from_it():
    assert class_counts("npz", {"source": "cifar10", "npz": "never opened"}) == [5000] * 10
    assert class_counts("cifar", {"source": "cifar100"}) == [500] * 100
    assert class_counts("derived", {"per_class": 7, "imbalance": None}, [5, 9]) == [5, 7]
    assert class_counts("derived", {"per_class": None, "imbalance": None}, [5, 9]) == [5, 9]


@pytest.mark.parametrize("experiment", [name for name in SWEPT if name not in BEYOND])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_smallest_batch_that_is_refused_is_the_same_before_and_after_scoring(experiment, balanced):
    """Sizes from the settings alone agree with the subsets that are planned in the end."""
    labels, images = np.repeat([0, 1, 2], [51, 30, 22]), np.zeros((103, 1, 8, 8), np.uint8)
    dataset = Dataset(images, labels, images[:3], np.arange(3), ["a", "b", "c"], [str(i) for i in range(103)])
    settings = plain(experiment_section(experiment)) | {"seeds": 1, "missing_classes": "allow", "balanced": [balanced]}
    recipe = {"model": "small_cnn", "optimiser": {"name": "sgd", "lr": 0.1}, "schedule": {"name": "constant"}, "epochs": 20}

    def refused(batch, early):
        whole = Recipe.model_validate(recipe | {"batch": batch})
        try:
            if early:
                sizes.check(experiment, settings, 20, batch, 103, "x")
            else:
                plan.plan(experiment, "el2n", np.arange(103.0), settings, whole, dataset, 0, "x")
        except PipelineError:
            return True
        return False

    outcomes = {batch: (refused(batch, True), refused(batch, False)) for batch in range(2, 104)}
    assert all(early == late for early, late in outcomes.values()), outcomes
    assert {early for early, _ in outcomes.values()} == {True, False}


def test_nobody_complains_about_examples_that_nobody_counted():
    sizes.check("prune_easiest", plain(Experiments().prune_easiest), 10, 10**6, None, "x")
