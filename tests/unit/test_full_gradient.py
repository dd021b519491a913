"""The norm of each example's whole gradient, against one pass backwards per example and against torch.func."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import full_gradient, models
from pipeline_lib.learn.augment import Images
from pipeline_lib.learn.embed import gradient_norm
from pipeline_lib.learn.full_gradient import chosen_layers, gradient_norms, largest_chunk
from tests.unit.networks import in_the_middle_of_training

EXAMPLES, CLASSES = 7, 5
SIZES = {"small_cnn": 16, "one_conv": 16, "resnet18_cifar": 12, "resnet18": 40, "resnet32": 12, "plain18": 8}


def network(name="small_cnn", channels=3):
    torch.manual_seed(1)
    return in_the_middle_of_training(models.build(name, channels, SIZES[name], CLASSES, 6, seed=3)).eval()


def images_for(name="small_cnn", channels=3):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (EXAMPLES, channels, SIZES[name], SIZES[name]), dtype=np.uint8)
    return Images(pixels, [0.5] * channels, [0.3] * channels, torch.device("cpu"))


LABELS = torch.arange(EXAMPLES) % CLASSES


def squares_one_by_one(model, images):
    """Parameter -> (N,) squares of its gradient's norm, by one pass backwards per example."""
    squares = {name: [] for name, _ in model.named_parameters()}
    for index in range(EXAMPLES):
        model.zero_grad()
        nn.functional.cross_entropy(model(images.clean(torch.tensor([index]))), LABELS[index : index + 1]).backward()
        for name, parameter in model.named_parameters():
            squares[name].append(parameter.grad.double().square().sum().item())
    return squares


def one_by_one(model, images, wanted=lambda name: True):
    """(N,) norms of the wanted parameters' gradients."""
    squares = squares_one_by_one(model, images)
    return np.sqrt(np.sum([values for name, values in squares.items() if wanted(name)], axis=0)).tolist()


@pytest.mark.parametrize("name", models.BUILDERS)
def test_one_pass_backwards_per_example_gives_the_same(name):
    model, images = network(name), images_for(name)
    assert gradient_norms(model, images, LABELS).tolist() == pytest.approx(one_by_one(model, images), rel=2e-4)


@pytest.mark.parametrize("name", models.BUILDERS)
def test_in_half_precision_norms_are_off_by_little(name):
    model, images = network(name), images_for(name)
    exact, coarse = gradient_norms(model, images, LABELS), gradient_norms(model, images, LABELS, precision="bfloat16")
    assert coarse.dtype == torch.float32
    assert not torch.equal(coarse, exact), "it was computed in half precision"
    assert coarse.tolist() == pytest.approx(exact.tolist(), rel=0.01)


def test_torch_func_gives_the_same():
    model, images = network(), images_for()
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def loss(parameters, image, label):
        logits = functional_call(model, (parameters, buffers), (image[None],))
        return nn.functional.cross_entropy(logits, label[None])

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, images.clean(torch.arange(EXAMPLES)), LABELS)
    expected = sum(each.flatten(1).square().sum(dim=1) for each in gradients.values()).sqrt()
    assert gradient_norms(model, images, LABELS).tolist() == pytest.approx(expected.tolist(), rel=1e-4)


def test_the_last_layer_alone_has_the_closed_form():
    model, images = network(), images_for()
    entered = []
    hook = model.fc.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].detach()))
    with torch.no_grad():
        logits = model(images.clean(torch.arange(EXAMPLES)))
    hook.remove()
    closed = gradient_norm(logits, entered[0], LABELS)
    assert gradient_norms(model, images, LABELS, ["fc"]).tolist() == pytest.approx(closed.tolist(), rel=1e-5)


def test_chosen_layers_alone_are_in_the_norm():
    model, images = network("resnet18_cifar"), images_for("resnet18_cifar")
    expected = one_by_one(model, images, lambda name: name.startswith(("layer4.", "fc.")))
    assert gradient_norms(model, images, LABELS, ["layer4.*", "fc"]).tolist() == pytest.approx(expected, rel=2e-4)
    assert all(part < whole for part, whole in zip(expected, one_by_one(model, images), strict=True))


@pytest.mark.parametrize("name", models.BUILDERS)
def test_every_layer_alone_can_be_chosen(name):
    """Also one whose output the next operation writes into."""
    model, images = network(name), images_for(name)
    layers = [layer for layer, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None]
    squares = squares_one_by_one(model, images)
    for layer in layers:
        expected = np.sqrt(np.sum([found for name, found in squares.items() if name.rpartition(".")[0] == layer], axis=0))
        assert gradient_norms(model, images, LABELS, [layer]).tolist() == pytest.approx(expected.tolist(), rel=1e-3, abs=1e-7), (
            layer
        )


@pytest.mark.parametrize(("kernel", "stride", "padding", "outputs"), [(3, 1, 1, 2), (3, 2, 1, 40), (5, 2, 0, 3), (1, 2, 0, 30)])
@pytest.mark.parametrize("bias", [False, True])
def test_both_ways_through_a_convolution(kernel, stride, padding, outputs, bias):
    """Few outputs take the product itself, many the sums of positions."""
    torch.manual_seed(0)
    layer = nn.Conv2d(4, outputs, kernel, stride, padding, bias=bias)
    entered = torch.randn(3, 4, 6, 6)
    put_out = layer(entered)
    errors = torch.randn_like(put_out)
    found = full_gradient._convolution(layer, entered, errors)
    for index in range(3):
        layer.zero_grad()
        layer(entered[index : index + 1]).backward(errors[index : index + 1])
        expected = sum(p.grad.square().sum().item() for p in layer.parameters())
        assert found[index].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_the_chunk_changes_nothing(chunk):
    model, images = network(), images_for()
    assert gradient_norms(model, images, LABELS, chunk=chunk).tolist() == pytest.approx(
        gradient_norms(model, images, LABELS).tolist(), rel=1e-5
    )


def test_a_chunk_is_what_fits_into_the_memory_given(monkeypatch):
    model, images = network(), images_for()
    layers = chosen_layers(model, "all")
    monkeypatch.setattr(full_gradient, "CHUNK_BYTES", {"cpu": 1})
    assert largest_chunk(model, images, layers) == 1
    sizes = []
    for budget in (2**20, 2**21):
        monkeypatch.setattr(full_gradient, "CHUNK_BYTES", {"cpu": budget})
        sizes.append(largest_chunk(model, images, layers))
    assert sizes[1] == pytest.approx(2 * sizes[0], abs=1)


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [
        # in and out of: a convolution and norm on 16x16 and 8x8 pixels, on 8x8 and 4x4, on 4x4, and the last layer
        ("all", (3 + 6) * 256 + 2 * 6 * 64 + (6 + 12) * 64 + 2 * 12 * 16 + 4 * 12 * 16 + 192 + 5),
        (["norms.1"], (3 + 6) * 256 + 2 * 12 * 16 + 4 * 12 * 16 + 192 + 5),
        (["fc"], (3 + 6) * 256 + 192 + 5),
    ],
)
def test_what_comes_before_the_chosen_layers_takes_memory_too(monkeypatch, layers, numbers):
    """Counting the chosen ones alone, as many images would pass through the others at once as the data set has."""
    monkeypatch.setattr(full_gradient, "CHUNK_BYTES", {"cpu": 100 * 3 * 4 * numbers})
    model, images = network(), images_for()
    assert largest_chunk(model, images, chosen_layers(model, layers)) == 100
    monkeypatch.setattr(full_gradient, "CHUNK_BYTES", {"cpu": 100 * 3 * 4 * numbers - 1})
    assert largest_chunk(model, images, chosen_layers(model, layers)) == 99


def test_the_model_can_be_trained_afterwards_as_before():
    model, images = network(), images_for()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradient_norms(model, images, LABELS)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert not any(layer._forward_hooks for layer in model.modules())


def test_a_pattern_that_names_no_layer_is_refused():
    with pytest.raises(PipelineError, match=r"ensemble\.grand_full\.layers: 'layer9\.\*' names no layer .* it has conv.*, fc$"):
        chosen_layers(network(), ["fc", "layer9.*"])


@pytest.mark.parametrize("strange", [nn.LayerNorm(4), nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 4, 3, padding_mode="circular")])
def test_a_layer_whose_gradient_is_not_known_is_refused(strange):
    with pytest.raises(PipelineError, match="grand_full: the layer 0 is .* known for linear layers, convolutions, batch norm"):
        chosen_layers(nn.Sequential(strange, nn.ReLU()), "all")


def test_a_chunk_that_a_gpu_has_no_room_for_is_halved(monkeypatch):
    model, images, labels = network(), images_for(), LABELS
    expected, sizes, squares = gradient_norms(model, images, labels), [], full_gradient._squares

    def cramped(model, layers, batch, *rest):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return squares(model, layers, batch, *rest)

    monkeypatch.setattr(full_gradient, "_squares", cramped)
    assert gradient_norms(model, images, labels) == pytest.approx(expected, rel=1e-5)
    assert sizes == [7, 4, 2, 2, 3, 2, 1]
