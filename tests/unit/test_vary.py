"""Which trainings are planned where the recipe is varied: all data, or splits that keep the classes' shares."""

import numpy as np
import pytest

from pipeline_lib.data.dataset import Dataset
from pipeline_lib.data.split import held_out_of
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import sizes
from pipeline_lib.prune.vary import split, vary

RECIPE = {
    "model": "small_cnn",
    "optimiser": {"name": "sgd", "lr": 0.1},
    "schedule": {"name": "constant"},
    "epochs": 2,
    "batch": 4,
}
LABELS = np.random.default_rng(3).permutation(np.repeat([0, 1, 2, 3], [50, 30, 19, 1]))
VARIANTS = [{"point": batch, "recipe": RECIPE | {"batch": batch}} for batch in (16, 4)]


@pytest.fixture(scope="module")
def dataset():
    images = np.zeros((100, 1, 8, 8), np.uint8)
    return Dataset(images, LABELS, images[:4], np.arange(4), ["ant", "bee", "cat", "dog"], [str(i) for i in range(100)])


def test_every_value_is_trained_on_the_same_split_of_every_seed(dataset):
    planned = vary(VARIANTS, {"seeds": 2, "validation": 0.2}, dataset, 0, "sweep of insects by batch")
    assert [(run.point, run.seed, run.recipe.batch) for run in planned] == [(16, 0, 16), (16, 1, 16), (4, 0, 4), (4, 1, 4)]
    for first, second in ((0, 2), (1, 3)):
        assert np.array_equal(planned[first].kept, planned[second].kept)
        assert np.array_equal(planned[first].held_out, planned[second].held_out)
    assert not np.array_equal(planned[0].held_out, planned[1].held_out)


def test_without_a_validation_split_all_data_are_trained_on(dataset):
    for run in vary(VARIANTS, {"seeds": 2}, dataset, 0, "x"):
        assert np.array_equal(run.kept, np.arange(100))
        assert run.held_out is None


@pytest.mark.parametrize("seed", range(5))
def test_a_split_holds_out_the_same_share_of_every_class_and_loses_nothing(seed):
    kept, held_out = split(LABELS, 0.2, 0, seed)
    assert np.array_equal(np.sort(np.concatenate([kept, held_out])), np.arange(100))
    assert np.bincount(LABELS[held_out], minlength=4).tolist() == [10, 6, 4, 0], "of a single example nothing can be held out"
    assert (np.diff(kept) > 0).all()
    assert (np.diff(held_out) > 0).all()


def test_at_least_one_of_a_class_stays_on_either_side():
    assert [held_out_of(number, share) for number, share in ((2, 0.01), (2, 0.99), (3, 0.5), (1, 0.5))] == [1, 1, 2, 0]


def test_a_split_depends_on_its_seeds_alone():
    assert np.array_equal(split(LABELS, 0.2, 0, 1)[1], split(LABELS, 0.2, 0, 1)[1])
    assert not np.array_equal(split(LABELS, 0.2, 1, 1)[1], split(LABELS, 0.2, 0, 1)[1])


def test_each_example_of_a_class_is_held_out_as_often():
    times = sum(np.bincount(split(LABELS, 0.2, 0, seed)[1], minlength=100) for seed in range(400))
    # 400 draws at .2: 80 of each, give or take 4.5 deviations
    assert np.abs(times[LABELS < 2] - 80).max() < 4.5 * np.sqrt(400 * 0.2 * 0.8)


@pytest.mark.parametrize(("batch", "refused"), [(80, False), (81, True)])
@pytest.mark.parametrize("early", [True, False])
def test_fewer_examples_than_a_batch_are_refused_before_and_when_planning(dataset, batch, refused, early):
    settings, counts = {"seeds": 1, "validation": 0.2}, np.bincount(LABELS).tolist()

    def check():
        if early:
            sizes.check_varied(settings, {batch: batch}, counts, "sweep of insects by batch")
        else:
            variant = {"point": batch, "recipe": RECIPE | {"batch": batch}}
            vary([variant], settings, dataset, 0, "sweep of insects by batch")

    if not refused:
        check()
        return
    with pytest.raises(PipelineError, match=r"sweep of insects by batch, 81: 80 examples are fewer than one batch of 81"):
        check()


def test_nobody_complains_about_examples_that_nobody_counted():
    sizes.check_varied({"seeds": 1}, {10**6: 10**6}, None, "x")
