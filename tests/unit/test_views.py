"""SwAV's views of an image: crops, rotation, mirror and colours, beside torchvision's."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp
from torchvision import transforms
from torchvision.transforms import functional

from pipeline_lib.config import Swav
from pipeline_lib.learn import views


def drawn(count, channels=3, **settings):
    return views.draw(count, channels, Swav(**settings), torch.Generator().manual_seed(0), torch.device("cpu"))


def as_it_is(count, **changes):
    """Views without any change but these, of colour."""
    colours = views.Colours(
        torch.eye(3).expand(count, 3, 3, 3), torch.zeros(count, 3, 3), torch.zeros(count), torch.zeros(count) > 0
    )
    return views.Views(torch.eye(2, 3).expand(count, 2, 3), colours._replace(**changes))


def test_a_view_without_any_change_is_the_image():
    images = torch.rand(3, 3, 16, 16)
    assert torch.allclose(views.view(images, as_it_is(3)), images, atol=1e-5)
    assert torch.equal(drawn(3, min_scale=1.0).maps, torch.eye(2, 3).expand(3, 2, 3))


def test_a_view_is_a_part_of_the_image_anywhere_in_it():
    """Of an image whose red grows to the right and whose green grows downwards."""
    ramp = torch.linspace(0, 1, 64)
    image = torch.stack([ramp.expand(64, 64), ramp.view(64, 1).expand(64, 64), torch.zeros(64, 64)])
    changed = views.view(image.expand(500, -1, -1, -1), drawn(500, min_scale=0.14, flip=True))
    red, green = changed[:, 0, 32], changed[:, 1, :, 32]
    mirrored = red[:, 0] > red[:, -1]
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.1)
    red = torch.where(mirrored.view(-1, 1), red.flip(1), red)
    assert (red.diff(dim=1) >= -1e-5).all()
    assert (green.diff(dim=1) >= -1e-5).all()
    gaps = torch.stack([red[:, 0], 1 - red[:, -1], green[:, 0], 1 - green[:, -1]])  # to every side of the image
    assert gaps.min() < 0.02
    assert torch.allclose(gaps.mean(dim=1), gaps.mean().expand(4), atol=0.02)


def test_a_square_crop_is_turned_and_mirrored_but_not_sheared(monkeypatch):
    monkeypatch.setattr(views, "ASPECT", (1.0, 1.0))
    turned = drawn(500, min_scale=0.3, flip=True, rotation=30).maps[:, :, :2]
    scale = turned.det().abs().view(-1, 1, 1)
    assert torch.allclose(turned @ turned.mT, scale * torch.eye(2), atol=1e-5)
    assert (turned.det() < 0).float().mean().item() == pytest.approx(0.5, abs=0.1), "mirrored"
    angle = torch.atan2(-turned[:, 0, 1], turned[:, 1, 1]).rad2deg()
    assert angle.abs().max() <= 30 + 1e-3
    assert angle.std().item() == pytest.approx(60 / 12**0.5, rel=0.1)


def test_colours_stay_in_range_and_grey_stays_grey():
    images = torch.rand(64, 3, 8, 8)
    changed = views.view(images, drawn(64, colour=0.8))
    assert changed.min() >= 0
    assert changed.max() <= 1
    grey = torch.rand(64, 1, 8, 8).expand(-1, 3, -1, -1).contiguous()
    changed = views.view(grey, drawn(64, colour=0.8))
    assert (changed - changed.mean(dim=1, keepdim=True)).abs().max() < 0.01


@pytest.mark.parametrize("order", itertools.permutations(range(3)), ids=str)
def test_colours_change_as_in_torchvision_one_change_after_the_other(order):
    """What each leaves of 0..1 is cut off before the next: 1.8 times as bright, then less contrast, is not the other way round."""
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    changes = functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation
    factors, expected = (1.8, 0.4, 1.7), image
    for number in order:
        expected = changes[number](expected, factors[number])
    expected = functional.adjust_hue(expected, 0.1)
    matrices, offsets = (each[:, order] for each in views._changes(*torch.tensor(factors).view(3, 1)))
    changed = views.view(image, as_it_is(1, matrices=matrices, offsets=offsets, turns=torch.tensor([0.1])))
    assert torch.allclose(changed, expected, atol=3e-3)  # torchvision rounds the weights of the grey value


def test_every_order_of_the_changes_is_as_likely():
    """By where the contrast stands: its matrix c I beside its offset, whose weights sum to 1 - c."""
    matrices, offsets, *_ = views._colours(20_000, 0.8, torch.Generator().manual_seed(0))
    contrasts = offsets.abs().sum(dim=2) > 0
    assert torch.allclose(contrasts.float().mean(dim=0), torch.full((3,), views.JITTER_SHARE / 3), atol=0.01)
    beside = (1 - offsets[contrasts].sum(dim=1)).view(-1, 1, 1) * torch.eye(3)
    assert torch.allclose(matrices[contrasts], beside, atol=1e-5)


@pytest.mark.parametrize("strength", [0.8, 1.5])
def test_colours_change_by_as_much_as_in_torchvision(strength):
    """The papers' jitter at strength 0.8 is ColorJitter(0.8, 0.8, 0.8, 0.2); of 20,000, by the test of Kolmogorov and Smirnov."""
    factors, turns = views._jitter(20_000, strength, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    jitter = transforms.ColorJitter(*[strength] * 3, strength / 4)
    ranges = jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue
    theirs = np.array([jitter.get_params(*ranges)[1:] for _ in range(5000)]).T
    for ours, drawn_there in zip([*factors, turns], theirs, strict=True):
        assert ks_2samp(ours.numpy(), drawn_there).pvalue > 0.001


def test_a_fifth_of_the_views_is_grey():
    assert views._colours(20_000, 0.8, torch.Generator().manual_seed(0)).grey.float().mean().item() == pytest.approx(0.2, abs=0.01)


def test_only_the_generator_decides():
    """Not what else was drawn before."""
    one = drawn(50, colour=0.8)
    torch.manual_seed(123)
    other = drawn(50, colour=0.8)
    assert torch.equal(one.maps, other.maps)
    assert all(map(torch.equal, one.colours, other.colours))


def test_an_image_keeps_all_colours_or_none():
    matrices, offsets, turns, _ = views._colours(20_000, 0.8, torch.Generator().manual_seed(0))
    kept = [(matrices == torch.eye(3)).all(dim=(1, 2, 3)), (offsets == 0).all(dim=(1, 2)), turns == 0]
    assert kept[0].float().mean().item() == pytest.approx(1 - views.JITTER_SHARE, abs=0.01)
    assert torch.equal(kept[0], kept[1])
    assert torch.equal(kept[0], kept[2])


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.05, 0.3])
def test_the_hue_turns_as_in_torchvision(turn):
    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images[0], images[1], images[2] = 0, 0.5, 1
    images[3, 1], images[4, 2] = images[3, 0], images[4, 1]  # two channels alike
    turned = views._turned(images.flatten(2), torch.full((6,), turn)).view_as(images)
    assert torch.allclose(turned, functional.adjust_hue(images, turn), atol=1e-5)


def test_grey_is_torchvisions():
    images = torch.rand(2, 3, 8, 8)
    changed = views.view(images, as_it_is(2, grey=torch.tensor([True, False])))
    assert torch.allclose(changed[0], functional.rgb_to_grayscale(images[0], 3), atol=1e-3)
    assert torch.allclose(changed[1], images[1], atol=1e-5)


@pytest.mark.parametrize("min_scale", [0.14, 0.9])
def test_crops_are_as_large_as_torchvisions(min_scale):
    """At 0.9 four of five draws do not lie inside, and one view in seven is the whole image."""
    width, height = views._crops(50_000, min_scale, torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    image = torch.zeros(3, 1000, 1000)
    drawn = [transforms.RandomResizedCrop.get_params(image, (min_scale, 1), views.ASPECT)[2:] for _ in range(50_000)]
    drawn = np.array(drawn) / 1000
    whole = ((width == 1) & (height == 1)).float().mean().item()
    assert whole == pytest.approx((drawn == 1).all(axis=1).mean(), abs=0.005)
    for ours, theirs in ((width * height, drawn.prod(axis=1)), (width / height, drawn[:, 1] / drawn[:, 0])):
        assert ks_2samp(ours.numpy(), theirs).pvalue > 0.001
    assert max(width.max(), height.max()) <= 1


def test_where_no_crop_lies_inside_it_is_the_whole_image(monkeypatch):
    monkeypatch.setattr(views, "ASPECT", (4.0, 4.0))  # of a quarter of the area, or less, only
    width, height = views._crops(10, 0.9, torch.Generator())
    assert (width == 1).all()
    assert (height == 1).all()


def test_the_views_of_an_epoch_can_be_drawn_at_once():
    images, whole = torch.rand(12, 3, 8, 8), drawn(12, colour=0.8)
    parts = torch.cat([views.view(*pair) for pair in zip(images.split(5), whole.split(5), strict=True)])
    assert torch.allclose(parts, views.view(images, whole), atol=1e-6)
    assert drawn(4, channels=1, colour=0.8).colours is None, "grey images have no colour to change"


def test_no_view_is_computed_on_the_cpu_where_the_images_are_elsewhere():
    """On a device without a CPU's data any look from the CPU fails: a synchronisation would stop a GPU in every step."""
    images = torch.empty(4, 3, 8, 8, device="meta")
    elsewhere = views.draw(4, 3, Swav(colour=0.8), torch.Generator().manual_seed(0), torch.device("meta"))
    assert views.view(images, elsewhere).device.type == "meta"
