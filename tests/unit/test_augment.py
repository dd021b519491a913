"""The one-step sampling against torchvision, image by image."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as tv

from pipeline_lib.config import Augmentation
from pipeline_lib.learn.augment import Draw, Images, draw

CPU = torch.device("cpu")
SIZE, PADDING = 32, 4


@pytest.fixture
def photos():
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, size=(12, 3, 8, 8), dtype=np.uint8)
    return coarse.repeat(4, axis=2).repeat(4, axis=3) // 2 + rng.integers(0, 128, size=(12, 3, SIZE, SIZE), dtype=np.uint8)


def one_by_one(image, row, column, flip, degrees):
    """Reflect-pad, crop, mirror and rotate one (C, H, W) uint8 image as torchvision does on PIL images."""
    picture = Image.fromarray(image.transpose(1, 2, 0).squeeze())
    picture = tv.pad(picture, PADDING, padding_mode="reflect")
    picture = tv.crop(picture, row + PADDING, column + PADDING, *image.shape[1:])
    picture = tv.hflip(picture) if flip else picture
    return np.atleast_3d(np.asarray(tv.rotate(picture, degrees))).transpose(2, 0, 1)


def pixels(images, change, settings, index=None):
    """Augment with mean 0 and std 1/255, so that the floats are the pixel values again."""
    channels = images.shape[1]
    batch = Images(images, [0.0] * channels, [1 / 255] * channels, CPU)
    index = torch.arange(len(images)) if index is None else index
    return batch.augmented(index, change.at(index), settings)


@pytest.mark.parametrize("rotation", [0, 15, 90])
def test_crop_flip_and_rotation_are_torchvisions(photos, rotation):
    settings = Augmentation(crop_padding=PADDING, flip=True, rotation=rotation)
    change = draw(settings, len(photos), np.random.default_rng(0), CPU)
    ours = pixels(photos, change, settings)
    assert change.flip.any()
    assert not change.flip.all()
    for i, image in enumerate(photos):
        degrees = float(torch.rad2deg(change.angle[i]))
        theirs = one_by_one(image, int(change.rows[i]), int(change.columns[i]), bool(change.flip[i]), degrees)
        differing = (ours[i].numpy() != theirs).any(axis=0).mean()
        assert differing <= (0.005 if rotation else 0), f"example {i}: {differing:.1%} of the pixels differ"


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (9, 1), (33, 3), (40, 1)])
def test_every_size_is_rotated_about_its_middle_as_torchvision_does(size, channels):
    rng, settings = np.random.default_rng(1), Augmentation(crop_padding=PADDING, flip=True, rotation=30)
    images = rng.integers(0, 256, size=(200, channels, size, size), dtype=np.uint8)
    change = draw(settings, len(images), rng, CPU)
    ours, differing = pixels(images, change, settings), 0
    for i, image in enumerate(images):
        degrees = float(torch.rad2deg(change.angle[i]))
        theirs = one_by_one(image, int(change.rows[i]), int(change.columns[i]), bool(change.flip[i]), degrees)
        differing += (ours[i].numpy() != theirs).any(axis=0).sum()
    assert differing <= 0.005 * len(images) * size**2


def test_changes_are_drawn_evenly_from_all_that_the_settings_allow():
    """Within 4 standard errors of 20,000 draws; crops up and down, left and right, flips and angles are independent."""
    change = draw(Augmentation(crop_padding=3, flip=True, rotation=20), 20_000, np.random.default_rng(0), CPU)
    rows, columns, flip, degrees = change.rows, change.columns, change.flip, torch.rad2deg(change.angle)
    for offset in (rows, columns):
        assert (offset.min(), offset.max()) == (-3, 3)
        assert torch.bincount(offset + 3).numpy() == pytest.approx(20_000 / 7, abs=4 * np.sqrt(20_000 / 7))
    assert flip.double().mean() == pytest.approx(0.5, abs=0.015)
    assert -20 <= degrees.min() < -19.9
    assert 19.9 < degrees.max() <= 20
    assert degrees.mean() == pytest.approx(0, abs=0.33)
    assert degrees.abs().mean() == pytest.approx(10, abs=0.17)
    together = torch.corrcoef(torch.stack([rows.double(), columns.double(), flip.double(), degrees.double()]))
    assert (together - torch.eye(4)).abs().max() < 4 / np.sqrt(20_000)


def test_no_change_leaves_pixels_alone(photos):
    settings = Augmentation()
    change = draw(settings, len(photos), np.random.default_rng(0), CPU)
    assert np.array_equal(pixels(photos, change, settings).numpy(), photos.astype(np.float32))


def test_corners_of_a_rotated_image_are_black(photos):
    settings = Augmentation(rotation=45)
    zero = torch.zeros(len(photos), dtype=torch.long)
    change = Draw(zero, zero, zero.bool(), torch.full((len(photos),), np.pi / 4))
    corners = pixels(photos, change, settings)[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 0).all()


def test_an_example_changes_alike_whatever_else_is_in_the_batch(photos):
    settings = Augmentation(crop_padding=PADDING, flip=True, rotation=15)
    change = draw(settings, len(photos), np.random.default_rng(0), CPU)
    everything = pixels(photos, change, settings)
    some = torch.tensor([7, 2, 5])
    assert torch.equal(pixels(photos, change, settings, some), everything[some])


@pytest.mark.parametrize("rotation", [0, 15])
def test_sampling_waits_for_no_number_of_the_device(rotation):
    """A tensor without numbers stands for a GPU that is still busy: whatever looked at one would stop here."""
    settings, nowhere = Augmentation(crop_padding=PADDING, flip=True, rotation=rotation), torch.device("meta")
    batch = Images(np.zeros((12, 3, SIZE, SIZE), np.uint8), [0.0] * 3, [1.0] * 3, nowhere)
    change, index = draw(settings, 12, np.random.default_rng(0), nowhere), torch.arange(5, device=nowhere)
    assert batch.augmented(index, change.at(index), settings).shape == (5, 3, SIZE, SIZE)
    assert batch.clean(index).is_meta


def test_changes_are_taken_and_joined_in_order():
    settings = Augmentation(crop_padding=PADDING, flip=True, rotation=15)
    first, second = (draw(settings, 6, np.random.default_rng(seed), CPU) for seed in (0, 1))
    joined, index = first.then(second), torch.tensor([7, 2, 7])
    for name, taken in vars(joined.at(index)).items():
        here, there = getattr(first, name), getattr(second, name)
        assert taken.tolist() == [there[1], here[2], there[1]]
        assert torch.equal(getattr(joined.at(slice(4, None)), name), torch.cat([here[4:], there]))


def test_an_example_may_be_twice_in_a_batch_and_change_differently(photos):
    settings = Augmentation(crop_padding=PADDING)
    change = Draw(torch.tensor([0, 2]), torch.tensor([0, -3]), torch.zeros(2, dtype=torch.bool), torch.zeros(2))
    batch = Images(photos, [0.0] * 3, [1 / 255] * 3, CPU).augmented(torch.tensor([4, 4]), change, settings)
    assert np.array_equal(batch[0].numpy(), photos[4])
    assert np.array_equal(batch[1].numpy(), one_by_one(photos[4], 2, -3, False, 0))


def test_offsets_cover_the_padding_and_nothing_more():
    change = draw(Augmentation(crop_padding=2), 4000, np.random.default_rng(0), CPU)
    assert set(change.rows.tolist()) == set(change.columns.tolist()) == {-2, -1, 0, 1, 2}
    assert not change.flip.any()
    assert not change.angle.any()


def test_batches_are_channels_last_and_normalised(photos):
    batch = Images(photos, [0.1, 0.2, 0.3], [0.5, 0.6, 0.7], CPU).clean(torch.tensor([2, 3, 4]))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    expected = (photos[2:5] / 255 - np.array([0.1, 0.2, 0.3])[:, None, None]) / np.array([0.5, 0.6, 0.7])[:, None, None]
    assert np.allclose(batch.numpy(), expected, atol=1e-5)
