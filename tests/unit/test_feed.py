"""Batches: equal sizes, a subset sees a subset of the same sequence, repeated passes are fair, every epoch has its own examples."""

from collections import Counter

import numpy as np
import pytest
import torch

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import augment
from pipeline_lib.learn.feed import Data, Epoch, Seeds
from pipeline_lib.learn.feed import fed as feed
from pipeline_lib.rng import generator

CPU = torch.device("cpu")
N = 70
SEEDS = Seeds(0, "training", 0)


def recipe(**changes) -> Recipe:
    settings = {
        "model": "small_cnn",
        "optimiser": {"name": "sgd", "lr": 0.05},
        "schedule": {"name": "constant"},
        "epochs": 3,
        "batch": 16,
        "augmentation": {"crop_padding": 1, "flip": True, "rotation": 10},
    }
    return Recipe.model_validate(settings | changes)


@pytest.fixture(scope="module")
def data():
    """Noise; every example has a label of its own, which says who was fed."""
    images = np.random.default_rng(0).integers(0, 256, size=(N, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(N)
    return Data(Dataset(images, labels, images, labels, [str(i) for i in labels], [str(i) for i in labels]), recipe(), CPU)


def fed(data, kept, images=None, steps=5, seeds=SEEDS, times=3, settings=None, done=0):
    """For every epoch (labels in their order, images); kept: one array, or one per epoch."""
    planned = [Epoch(subset, images or len(subset), steps) for subset in (kept if isinstance(kept, list) else [kept] * times)]
    seen = []
    for index, batches in feed(data, settings or recipe(), seeds, planned, done):
        parts = list(batches)
        assert len(parts) == steps
        labels = torch.cat([labels for _, labels in parts])
        assert torch.equal(labels, data.train_labels[index])
        seen.append((labels.tolist(), torch.cat([images for images, _ in parts])))
    assert len(seen) == len(planned) - done
    return seen


@pytest.mark.parametrize(("examples", "batch", "sizes"), [(70, 16, [14] * 5), (33, 16, [11] * 3), (10, 16, [10]), (17, 16, [9, 8])])
def test_batches_differ_in_size_by_at_most_one(data, examples, batch, sizes):
    planned = [Epoch(np.arange(examples), examples, -(-examples // batch))] * 2
    by_epoch = [list(batches) for _, batches in feed(data, recipe(batch=batch), SEEDS, planned)]
    assert [[len(labels) for _, labels in epoch] for epoch in by_epoch] == [sizes] * 2


@pytest.mark.parametrize("balance", ["none", "sampler"])
@pytest.mark.parametrize(("at_once", "sampled"), [(1, [14] * 5), (2, [28, 28, 14]), (5, [70]), (11, [70])])
def test_no_more_is_sampled_at_once_than_asked_for_which_leaves_no_trace(data, unequal, monkeypatch, balance, at_once, sampled):
    source, settings = (unequal, recipe(balance=balance)) if balance == "sampler" else (data, recipe())
    whole, sizes, augmented = fed(source, np.arange(N), settings=settings), [], augment.Images.augmented

    def recorded(self, index, *rest):
        sizes.append(len(index))
        return augmented(self, index, *rest)

    monkeypatch.setattr(augment.Images, "chunk", lambda self, batch: at_once)
    monkeypatch.setattr(augment.Images, "augmented", recorded)
    for (order, images), (order_again, images_again) in zip(whole, fed(source, np.arange(N), settings=settings), strict=True):
        assert order == order_again
        assert torch.equal(images, images_again)
    assert sizes == sampled * 3


@pytest.mark.parametrize("balance", ["none", "sampler"])
def test_epochs_that_are_done_are_left_out_and_change_nothing_of_the_others(data, unequal, balance):
    source, settings = (unequal, recipe(balance=balance)) if balance == "sampler" else (data, recipe())
    whole = fed(source, np.arange(N), images=N + 3, times=4, settings=settings)
    for done in range(5):
        rest = fed(source, np.arange(N), images=N + 3, times=4, settings=settings, done=done)
        for (order, images), (order_again, images_again) in zip(whole[done:], rest, strict=True):
            assert order == order_again
            assert torch.equal(images, images_again)


def test_an_epoch_sees_every_example_once_in_a_new_order_newly_changed(data):
    (first, first_images), (second, second_images), _ = fed(data, np.arange(N))
    assert sorted(first) == sorted(second) == list(range(N))
    assert first != second
    place = {example: position for position, example in enumerate(second)}
    assert not torch.equal(first_images, second_images[[place[example] for example in first]])


def test_a_subset_sees_a_subset_of_the_same_sequence(data):
    """In the same order and changed alike: runs on different subsets can be compared in pairs."""
    kept = np.arange(0, N, 3)
    for (order, images), (some, of_some) in zip(fed(data, np.arange(N)), fed(data, kept, steps=2), strict=True):
        is_kept = torch.tensor([example % 3 == 0 for example in order])
        assert some == [example for example in order if example % 3 == 0]
        assert torch.equal(of_some, images[is_kept])


@pytest.mark.parametrize("other", [Seeds(1, "training", 0), Seeds(0, "scoring", 0), Seeds(0, "training", 1)])
def test_study_purpose_and_run_each_give_another_order(data, other):
    assert fed(data, np.arange(N))[0][0] != fed(data, np.arange(N), seeds=other)[0][0]


@pytest.mark.parametrize("size", [2, 20, 23, 35, 69, 70])
def test_repeated_passes_are_fair(data, size):
    """As many images as all data have: after every image, no example was seen twice more often than another."""
    kept = np.random.default_rng(1).permutation(N)[:size]
    sequence = [example for order, _ in fed(data, kept, images=N) for example in order]
    assert len(sequence) == 3 * N
    passes = [sequence[begin : begin + size] for begin in range(0, len(sequence), size)]
    assert all(set(whole) == set(kept) for whole in passes[: len(sequence) // size])
    assert len(set(passes[-1])) == len(passes[-1])
    counts = Counter(sequence)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert size == 2 or passes[0] != passes[1], "a new order in every pass"


def test_repeated_passes_are_one_pass_after_another_cut_into_epochs(data):
    """Against the same draws, one example at a time: what is left of a pass keeps its place and its changes."""
    kept = np.arange(0, N, 3)
    fast = fed(data, kept, images=N)
    orders, changes, settings = generator(*SEEDS, "order"), generator(*SEEDS, "augmentation"), recipe().augmentation
    examples, images = [], []
    while len(examples) < 3 * N:
        change = augment.draw(settings, N, changes, CPU)
        for example in (i for i in orders.permutation(N) if i % 3 == 0):
            examples.append(example)
            images.append(data.train.augmented(torch.tensor([example]), change.at(torch.tensor([example])), settings))
    for epoch, (order, batch) in enumerate(fast):
        assert order == examples[epoch * N : (epoch + 1) * N]
        assert torch.equal(batch, torch.cat(images[epoch * N : (epoch + 1) * N]))


def test_a_repeated_example_is_changed_anew(data):
    [(order, images)] = fed(data, np.array([5, 40]), images=N, times=1)
    of_five = images[[position for position, example in enumerate(order) if example == 5]]
    assert len(torch.unique(of_five, dim=0)) > 10


@pytest.mark.parametrize("images", [None, N], ids=["epochs", "steps"])
def test_every_epoch_has_its_own_examples_and_no_others(data, images):
    """What is left of a pass over one subset must not turn up in the epoch of another."""
    kept = [np.arange(0, 30), np.arange(30, 50), np.arange(25, 70), np.arange(0, 30)]
    for subset, (order, _) in zip(kept, fed(data, kept, images), strict=True):
        assert set(order) == set(subset)
        counts = Counter(order)
        assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(
    ("images", "says"),
    [(np.zeros((4, 1, 8, 6), np.uint8), "must be square .* not 8 x 6"), (np.zeros((4, 1, 4, 4), np.uint8), "crop_padding` of 4")],
)
def test_images_that_cannot_be_trained_on_are_refused(images, says):
    dataset = Dataset(images, np.arange(4) % 2, images, np.arange(4) % 2, ["a", "b"], ["", "", "", ""])
    with pytest.raises(PipelineError, match=says):
        Data(dataset, recipe(augmentation={"crop_padding": 4}), CPU)


@pytest.fixture(scope="module")
def unequal():
    """50, 15 and 5 examples of three classes; the first pixel of an image is its position."""
    labels = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [50, 15, 5]))
    images = np.arange(N, dtype=np.uint8)[:, None, None, None].repeat(8, axis=2).repeat(8, axis=3)
    return Data(Dataset(images, labels, images, labels, ["a", "b", "c"], [str(i) for i in labels]), still(), CPU)


def still(**changes) -> Recipe:
    return recipe(augmentation={}, normalise="none", balance="sampler", **changes)


def examples(data, kept, images, steps=5, times=6, seeds=SEEDS):
    """The positions that a sampler feeds, one array per epoch, read off the images."""
    fed_ones = fed(data, kept, images, steps, seeds, times, still())
    return [(255 * epoch[:, 0, 0, 0]).round().int().numpy() for _, epoch in fed_ones]


def counts(data, by_epoch):
    return np.array([np.bincount(data.train_labels.numpy()[epoch], minlength=data.classes) for epoch in by_epoch])


def test_the_recipe_chooses_whether_classes_are_balanced(unequal):
    labels = [fed(unequal, np.arange(N), times=1, settings=recipe(balance=b))[0][0] for b in ("none", "sampler")]
    assert np.bincount(labels[0]).tolist() == [50, 15, 5]
    assert sorted(np.bincount(labels[1]).tolist()) == [23, 23, 24]


def test_every_class_has_the_same_share_of_every_epoch(unequal):
    by_epoch = counts(unequal, examples(unequal, np.arange(N), 70, times=300))
    assert (by_epoch.sum(axis=1) == 70).all(), "an epoch has as many images as without the sampler"
    assert set(by_epoch.ravel().tolist()) == {23, 24}
    # one class in three has the image that cannot be divided, every one as often: 100 of 300 epochs, give or take 4 deviations
    assert np.abs((by_epoch == 24).sum(axis=0) - 100).max() < 4 * np.sqrt(300 * 2 / 9)
    assert (counts(unequal, examples(unequal, np.arange(N), 69)) == 23).all()


def test_no_example_comes_twice_before_all_of_its_class_have_come(unequal):
    by_epoch = examples(unequal, np.arange(N), 70)
    labels = unequal.train_labels.numpy()
    for label, size in enumerate((50, 15, 5)):
        times = np.zeros(N, dtype=int)
        for epoch in by_epoch:
            times += np.bincount(epoch, minlength=N)
            of_class = times[labels == label]
            assert of_class.max() - of_class.min() <= 1, (label, size)


def test_the_order_mixes_the_classes(unequal):
    first = unequal.train_labels.numpy()[examples(unequal, np.arange(N), 70)[0]]
    assert all(len(set(part.tolist())) == 3 for part in np.array_split(first, 5))


def test_a_class_that_was_not_kept_leaves_its_share_to_the_others(unequal):
    kept = np.flatnonzero(unequal.train_labels.numpy() != 2)
    assert (counts(unequal, examples(unequal, kept, 64)) == [32, 32, 0]).all()
    alone = np.flatnonzero(unequal.train_labels.numpy() == 2)
    assert (counts(unequal, examples(unequal, alone, 5)) == [0, 0, 5]).all()


def test_an_epoch_smaller_than_the_number_of_classes_has_that_many_images(unequal):
    assert (counts(unequal, examples(unequal, np.arange(N), 2, 1)).sum(axis=1) == 2).all()


def test_the_sampler_is_determined_by_its_seeds(unequal):
    fed_by = [examples(unequal, np.arange(N), 70, seeds=seeds) for seeds in (SEEDS, SEEDS, Seeds(0, "training", 1))]
    assert np.array_equal(fed_by[0], fed_by[1])
    assert not np.array_equal(fed_by[0], fed_by[2])


def test_repeated_examples_are_changed_anew(unequal):
    """Else the five images of the smallest class would be five images for ever."""
    settings = recipe(balance="sampler", normalise="none", augmentation={"rotation": 90})
    [(_, images)] = fed(unequal, np.flatnonzero(unequal.train_labels.numpy() == 2), 10, 1, times=1, settings=settings)
    assert len({image.numpy().tobytes() for image in images}) > 5
