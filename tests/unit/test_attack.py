"""Attacks: linear networks whose worst change is known, a plain reference loop, bounds, and what must not change."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from torch import nn

from pipeline_lib.config import MODELS, Attack, Recipe
from pipeline_lib.data import digits
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import attack as attacking
from pipeline_lib.learn import models
from pipeline_lib.learn.attack import attacked, network_of, perturb, random_start
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.train import predict, train
from tests.unit.reference import torchattacks_outputs as reference_library

CPU = torch.device("cpu")
FGSM, FGSM_L2 = Attack(), Attack(norm="l2")
PGD = Attack(steps=10, step=0.25, random_start=True)
PGD_L2 = Attack(norm="l2", steps=10, step=0.25, random_start=True)
RECIPE = {
    "model": "small_cnn",
    "optimiser": {"name": "sgd", "lr": 0.05},
    "schedule": {"name": "onecycle"},
    "epochs": 8,
    "batch": 64,
    "precision": "float32",
}
ROUNDING = 1e-6  # of float32, at pixels of up to 1


def linear(weights):
    """(classes, C, H, W) -> a network whose logits are the products with the pixels."""
    weights = torch.as_tensor(weights, dtype=torch.float32)
    return lambda pixels: pixels.flatten(1) @ weights.flatten(1).T


def two_pixels(a, b):
    return torch.tensor([[[[a, b]]]])


def length(change):
    return torch.linalg.vector_norm(change, dim=(1, 2, 3))


def random_net(seed, classes=3):
    generator = torch.Generator().manual_seed(seed)
    first, last = torch.randn(12, 8, generator=generator), torch.randn(8, classes, generator=generator)
    return lambda pixels: torch.tanh(pixels.flatten(1) @ first) @ last


def random_images(seed, number=5):
    generator = torch.Generator().manual_seed(seed + 100)
    pixels = torch.rand(number, 3, 2, 2, generator=generator)
    pixels[0], pixels[1] = 0, 1  # black and white
    return pixels, torch.arange(number) % 3


def data_of(model, channels=1, size=8, examples=6):
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (examples, channels, size, size)).astype(np.uint8)
    labels = np.arange(examples) % 3
    dataset = Dataset(images, labels, images, labels, ["a", "b", "c"], [str(i) for i in range(examples)])
    recipe = Recipe.model_validate(RECIPE | {"model": model, "width": 4})
    return Data(dataset, recipe, CPU), recipe


@pytest.fixture(scope="module")
def trained():
    """A small network trained on the digits, with its data and recipe."""
    dataset, _ = digits.read({"test_fraction": 0.2}, 0)
    recipe = Recipe.model_validate(RECIPE)
    data = Data(dataset, recipe, CPU)
    return train(data, np.arange(len(dataset.train_labels)), recipe, Seeds(0, "training", 0)).model, data, recipe


def accuracy(model, data, recipe, settings, epsilon):
    logits = torch.cat([each for _, each in attacked(model, data.test, data.test_labels, recipe, settings, epsilon, (0, "x"))])
    return (logits.argmax(dim=1) == data.test_labels).double().mean().item()


# ---------------------------------------------------------------------------------------------------------------------
# by hand


@pytest.mark.parametrize("settings", [FGSM, PGD], ids=["fgsm", "pgd"])
def test_the_worst_change_of_every_pixel_for_a_linear_network(settings):
    """Logits (3a - b, 0) and label 0: a falls by epsilon, b rises by it; where black or white is reached it ends there."""
    network, labels = linear([[[[3, -1]]], [[[0, 0]]]]), torch.tensor([0, 0])
    pixels = torch.cat([two_pixels(0.5, 0.5), two_pixels(0.05, 0.95)])
    begin = [random_start(pixels.shape, "linf", np.random.default_rng(0))] if settings.random_start else []
    found = perturb(network, pixels, labels, settings, 0.1, begin)
    assert torch.allclose(found, torch.cat([two_pixels(0.4, 0.6), two_pixels(0.0, 1.0)]), atol=ROUNDING)


@pytest.mark.parametrize("settings", [FGSM_L2, Attack(norm="l2", steps=4, step=0.5)], ids=["one step", "four steps"])
def test_the_worst_change_of_a_length_for_a_linear_network(settings):
    """Along (-3, 4) / 5, the direction in which 3a - 4b falls fastest: 0.1 long it is (-0.06, 0.08)."""
    network = linear([[[[3, -4]]], [[[0, 0]]]])
    found = perturb(network, two_pixels(0.5, 0.5), torch.tensor([0]), settings, 0.1)
    assert torch.allclose(found, two_pixels(0.44, 0.58), atol=ROUNDING)


def test_the_label_decides_the_direction():
    network = linear([[[[3, -1]]], [[[0, 0]]]])
    found = perturb(network, two_pixels(0.5, 0.5), torch.tensor([1]), FGSM, 0.1)
    assert torch.allclose(found, two_pixels(0.6, 0.4), atol=ROUNDING)


def test_a_pixel_that_does_not_matter_is_left_alone():
    network = linear([[[[3, 0]]], [[[0, 0]]]])
    for settings in (FGSM, FGSM_L2):
        assert torch.allclose(perturb(network, two_pixels(0.5, 0.5), torch.tensor([0]), settings, 0.1), two_pixels(0.4, 0.5))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_network_that_sees_nothing_cannot_be_fooled_and_yields_no_nan(norm):
    network = linear(torch.zeros(3, 1, 1, 2))
    pixels = two_pixels(0.5, 0.5)
    assert torch.equal(perturb(network, pixels, torch.tensor([0]), Attack(norm=norm, steps=3), 0.1), pixels)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_network_that_is_sure_of_itself_is_attacked_in_the_right_direction(norm):
    """Label 0 leads by 40: its probability rounds to 1, and its own part of the gradient of the cross-entropy to 0.

    What is left is that of class 1, which would raise the pixel: the lead 400 a - 200 a would grow instead of falling.
    """
    network = linear([[[[400, 0]]], [[[200, 0]]]])
    pixels = two_pixels(0.2, 0.5)
    inputs = pixels.clone().requires_grad_()
    [naive] = torch.autograd.grad(nn.functional.cross_entropy(network(inputs), torch.tensor([0])), inputs)
    assert naive[0, 0, 0, 0] > 0, "so it is with the cross-entropy"
    found = perturb(network, pixels, torch.tensor([0]), Attack(norm=norm), 0.1)
    assert torch.allclose(found, two_pixels(0.1, 0.5), atol=ROUNDING)


@pytest.mark.parametrize("scale", [1, 100, 10_000])
def test_a_step_has_its_length_however_sure_the_network_is(scale):
    """The gradient of the cross-entropy falls to 1e-26 and to 0; torchattacks adds 1e-10 to its length and stands still."""
    network = linear([[[[3 * scale, -4 * scale]]], [[[0, 0]]]])
    found = perturb(network, two_pixels(0.9, 0.5), torch.tensor([0]), FGSM_L2, 0.1)
    assert torch.allclose(found, two_pixels(0.84, 0.58), atol=1e-5)


def test_the_odds_are_those_of_the_cross_entropy():
    logits = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(20) % 5
    odds = attacking._odds_against(logits, labels)
    assert torch.allclose(nn.functional.softplus(odds), nn.functional.cross_entropy(logits, labels, reduction="none"), atol=1e-6)


def test_of_several_starts_the_one_that_fools_counts_for_each_image():
    """Logits (0, |a - 0.5| - 0.05): nothing leads from 0.5, where the gradient is 0, but 0.6 and 0.4 fool."""

    def network(pixels):
        lead = 0.05 - (pixels.flatten(1)[:, :1] - 0.5).abs()
        return torch.cat([lead, torch.zeros_like(lead)], dim=1)

    pixels, labels = torch.cat([two_pixels(0.5, 0.5)] * 2), torch.tensor([0, 0])
    still = torch.zeros_like(pixels)
    one, other = still.clone(), still.clone()
    one[0, 0, 0, 0], other[1, 0, 0, 0] = 0.01, -0.01
    settings = Attack(steps=1, random_start=True, restarts=2)
    found = perturb(network, pixels, labels, settings, 0.1, [one, other])
    assert torch.allclose(found[:, 0, 0, 0], torch.tensor([0.6, 0.4]), atol=ROUNDING)
    assert torch.allclose(perturb(network, pixels, labels, settings, 0.1, [one])[1], pixels[1])


def test_the_lead_of_the_label():
    logits, labels = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]]), torch.tensor([0, 1])
    assert attacking._lead(logits, labels).tolist() == [1, -2]


# ---------------------------------------------------------------------------------------------------------------------
# against a plain loop, one image at a time


def reference(network, image, label, settings, epsilon):
    """As in the papers, with the squares and signs written out."""
    changed = image.clone()
    for _ in range(settings.steps):
        changed = changed.detach().requires_grad_()
        (-network(changed[None]).double().log_softmax(dim=1)[0, label]).backward()
        gradient = changed.grad
        if settings.norm == "linf":
            moved = changed.detach() + settings.step * epsilon * torch.sign(gradient)
            moved = torch.maximum(torch.minimum(moved, image + epsilon), image - epsilon)
        else:
            moved = changed.detach() + settings.step * epsilon * gradient / (gradient**2).sum().sqrt()
            far = ((moved - image) ** 2).sum().sqrt()
            moved = image + (moved - image) * min(1.0, (epsilon / far).item())
        changed = moved.clamp(0, 1)
    return changed


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("steps", "step"), [(1, 1), (10, 0.25)])
def test_as_a_plain_loop_does_it(norm, steps, step):
    pixels, labels = random_images(0, 12)
    settings = Attack(norm=norm, steps=steps, step=step)
    found = perturb(random_net(0), pixels, labels, settings, 0.2)
    expected = torch.stack([reference(random_net(0), *pair, settings, 0.2) for pair in zip(pixels, labels, strict=True)])
    assert torch.allclose(found, expected, atol=1e-5)
    assert not torch.allclose(found, pixels, atol=1e-2)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("fgsm", FGSM),
        ("pgd_linf", Attack(steps=reference_library.STEPS, step=reference_library.STEP)),
        ("pgd_l2", Attack(norm="l2", steps=reference_library.STEPS, step=reference_library.STEP)),
    ],
)
def test_as_torchattacks_does_it(name, settings):
    """What torchattacks 3.5.1 made of the images is stored; reference/torchattacks_outputs.py says how."""
    with np.load(reference_library.OUTPUTS) as stored:
        arrays = {key: torch.from_numpy(stored[key]) for key in ("pixels", "labels", name)}
        network = reference_library.network({key: stored[key] for key in stored if key[0].isdigit()})
    found = perturb(network, arrays["pixels"], arrays["labels"], settings, reference_library.EPSILON[settings.norm])
    assert torch.allclose(found, arrays[name], atol=1e-5)
    assert not torch.allclose(found, arrays["pixels"], atol=0.05)


# ---------------------------------------------------------------------------------------------------------------------
# what holds for every network


@examples(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    norm=st.sampled_from(["linf", "l2"]),
    epsilon=st.floats(0, 1),
    steps=st.integers(1, 5),
    starts=st.integers(0, 2),
)
def test_changes_stay_within_epsilon_and_images_within_black_and_white(seed, norm, epsilon, steps, starts):
    pixels, labels = random_images(seed)
    rngs = [np.random.default_rng(seed + number) for number in range(starts)]
    begin = [random_start(pixels.shape, norm, rng) for rng in rngs]
    before = pixels.clone()
    found = perturb(random_net(seed), pixels, labels, Attack(norm=norm, steps=steps), epsilon, begin)
    assert torch.equal(pixels, before), "the images themselves stay as they are"
    assert found.min() >= 0
    assert found.max() <= 1
    size = (found - pixels).abs().amax(dim=(1, 2, 3)) if norm == "linf" else length(found - pixels)
    assert (size <= epsilon + ROUNDING).all()
    if epsilon == 0:
        assert torch.equal(found, pixels)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_one_step_of_epsilon_is_the_fast_gradient_sign(norm):
    pixels, labels = random_images(3)
    network, epsilon = random_net(3), 0.07
    inputs = pixels.clone().requires_grad_()
    [gradient] = torch.autograd.grad(nn.functional.cross_entropy(network(inputs), labels), inputs)
    direction = gradient.sign() if norm == "linf" else gradient / length(gradient).view(-1, 1, 1, 1)
    expected = (pixels + epsilon * direction).clamp(0, 1)
    assert torch.allclose(perturb(network, pixels, labels, Attack(norm=norm, steps=1, step=1), epsilon), expected, atol=1e-6)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_are_seeded_within_the_bound_and_do_not_depend_on_the_batches(norm):
    shape = (400, 3, 4, 4)
    whole = random_start(shape, norm, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    parts = torch.cat([random_start((size, 3, 4, 4), norm, rng) for size in (1, 150, 249)])
    assert torch.equal(whole, parts)
    assert not torch.equal(whole, random_start(shape, norm, np.random.default_rng(2)))
    size = whole.abs().amax(dim=(1, 2, 3)) if norm == "linf" else length(whole)
    assert size.max() <= 1 + ROUNDING
    assert abs(whole.mean()) < 0.03
    if norm == "l2":
        assert abs(size.mean() - 0.5) < 0.05, "lengths are uniform"


# ---------------------------------------------------------------------------------------------------------------------
# networks of ours


@pytest.mark.parametrize("name", MODELS.__args__)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_every_network_is_attacked_and_left_as_it_was(name, norm):
    settings = Attack(norm=norm, steps=2, step=0.5, random_start=True)
    data, recipe = data_of(name, channels=3)
    model = models.build(name, 3, 8, 3, 4, seed=0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.train()
    [(pixels, logits)] = attacked(model, data.test, data.test_labels, recipe, settings, 1 if norm == "l2" else 0.1, (0, "x"))
    clean = data.test.pixels(torch.arange(6))
    assert logits.shape == (6, 3)
    assert torch.isfinite(logits).all()
    assert not torch.equal(pixels, clean)
    odds = [attacking._odds_against(each.double(), data.test_labels).sum() for each in (logits, predict(model, data.test, recipe))]
    assert odds[0] > odds[1]
    assert not model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items()), "batch statistics among them"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_gradients_that_a_training_has_left_stay():
    data, recipe = data_of("small_cnn")
    model = models.build("small_cnn", 1, 8, 3, 4, seed=0)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    list(attacked(model, data.test, data.test_labels, recipe, FGSM, 0.1, (0,)))
    assert all((parameter.grad == 1).all() for parameter in model.parameters())


@pytest.mark.parametrize("normalise", ["dataset", "none", {"mean": [0.5] * 3, "std": [0.2, 0.3, 0.4]}])
def test_pixels_are_normalised_as_in_training_to_the_last_bit(normalise):
    levels = np.arange(256, dtype=np.uint8).repeat(3)[: 256 * 3].reshape(12, 1, 8, 8).repeat(3, axis=1)
    dataset = Dataset(levels, np.arange(12) % 3, levels, np.arange(12) % 3, ["a", "b", "c"], [str(i) for i in range(12)])
    images = Data(dataset, Recipe.model_validate(RECIPE | {"normalise": normalise}), CPU).test
    index = torch.arange(12)
    assert torch.equal(images.normalised(images.pixels(index)), images.clean(index))
    assert images.pixels(index).min() == 0
    assert images.pixels(index).max() == 1


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_attack_of_size_nothing_gives_the_predictions_without_attack(trained, precision):
    model, data, recipe = trained
    recipe = recipe.model_copy(update={"precision": precision})
    for settings in (FGSM, PGD, PGD_L2):
        [(pixels, logits)] = attacked(model, data.test, data.test_labels, recipe, settings, 0.0, (0,))
        assert torch.equal(pixels, data.test.pixels(torch.arange(data.test.examples)))
        assert torch.equal(logits, predict(model, data.test, recipe))


@pytest.mark.parametrize("settings", [FGSM, PGD, PGD_L2], ids=["fgsm", "pgd", "pgd l2"])
def test_accuracy_on_digits_falls_with_epsilon(trained, settings):
    bounds = [0, 0.03, 0.06, 0.12] if settings.norm == "linf" else [0, 0.2, 0.4, 0.8]
    found = [accuracy(*trained, settings, epsilon) for epsilon in bounds]
    assert found[0] > 0.95
    assert all(after < before for before, after in zip(found, found[1:], strict=False))
    assert found[-1] < 0.5


def test_ten_steps_fool_more_than_one_and_restarts_no_less(trained):
    one, ten = (accuracy(*trained, settings, 0.1) for settings in (FGSM, PGD))
    assert ten < one
    assert accuracy(*trained, PGD.model_copy(update={"restarts": 3}), 0.1) <= ten


def test_noise_of_the_same_size_fools_far_less(trained):
    model, data, recipe = trained
    pixels = data.test.pixels(torch.arange(data.test.examples))
    noise = 0.1 * random_start(tuple(pixels.shape), "linf", np.random.default_rng(0)).sign()
    with torch.no_grad():
        logits = network_of(model, data.test, recipe)((pixels + noise).clamp(0, 1))
    shaken = (logits.argmax(dim=1) == data.test_labels).double().mean().item()
    assert shaken > accuracy(*trained, FGSM, 0.1) + 0.2


def test_equal_seeds_give_equal_attacks_whatever_the_batches(trained, monkeypatch):
    model, data, recipe = trained

    def pixels(seed):
        return torch.cat([each for each, _ in attacked(model, data.test, data.test_labels, recipe, PGD, 0.1, (seed,))])

    whole = pixels(0)
    assert torch.equal(whole, pixels(0))
    assert not torch.equal(whole, pixels(1))
    monkeypatch.setitem(attacking.EVALUATION_PIXELS, "cpu", 64 * 50)
    # in batches of another size the last bit of a gradient differs, which may turn the sign of one that is almost 0
    assert ((whole - pixels(0)).abs().amax(dim=(1, 2, 3)) < 1e-5).double().mean() > 0.98


def test_chosen_images_alone_are_attacked(trained):
    model, data, recipe = trained
    index = torch.tensor([7, 3])
    [(some, logits)] = attacked(model, data.test, data.test_labels, recipe, FGSM, 0.1, (0,), index)
    [(every, _)] = attacked(model, data.test, data.test_labels, recipe, FGSM, 0.1, (0,))
    assert logits.shape == (2, 10)
    assert torch.allclose(some, every[index], atol=ROUNDING)


def test_a_batch_that_memory_cannot_hold_is_attacked_in_halves_from_the_same_starts(trained, monkeypatch):
    model, data, recipe = trained
    index = torch.arange(8)
    [(whole, _)] = attacked(model, data.test, data.test_labels, recipe, PGD, 0.1, (0,), index)
    real = attacking.perturb

    def small(network, pixels, *others):
        if len(pixels) > 4:
            raise torch.OutOfMemoryError
        return real(network, pixels, *others)

    monkeypatch.setattr(attacking, "perturb", small)
    [(halves, _)] = attacked(model, data.test, data.test_labels, recipe, PGD, 0.1, (0,), index)
    assert torch.allclose(whole, halves, atol=1e-5)
