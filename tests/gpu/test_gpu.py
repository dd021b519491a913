"""What only a GPU can show. Skipped where there is none; `python -m pytest tests/gpu` where there is."""

import copy
import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import device, full_gradient, kernel, norm, replay, swav, train
from pipeline_lib.learn.augment import Images
from pipeline_lib.learn.embed import embed
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.precision import settled
from pipeline_lib.learn.record import record
from tests.unit import test_train as plain
from tests.unit.test_norm import CASES, by_kernels, error, inputs, plainly

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
CPU, SEEDS = torch.device("cpu"), Seeds(0, "training", 0)
LARGE = [(511, 64, 32, True, True), (512, 128, 16, False, True), (37, 512, 4, True, False)]


@pytest.fixture(scope="module")
def gpu():
    return device.choose("cuda")


@pytest.fixture(scope="module")
def stripes():
    return striped()


@pytest.fixture(scope="module")
def small():
    return plain.striped()


def striped() -> Dataset:
    """Horizontal against vertical stripes under noise, 600 of 32x32 pixels."""
    rng = np.random.default_rng(0)
    labels = np.arange(600) % 2
    pattern = np.where(np.arange(32) // 4 % 2, 170, 80)[None, None, :] * np.ones((1, 32, 1))
    maps = np.where(labels[:, None, None], pattern, pattern.transpose(0, 2, 1))[:, None]
    images = np.clip(maps + rng.normal(0, 60, (600, 3, 32, 32)), 0, 255).astype(np.uint8)
    return Dataset(images, labels, images[:200], labels[:200], ["a", "b"], [str(i) for i in range(600)])


def recipe(model: str = "resnet18_cifar", **changes) -> Recipe:
    values = {"model": model, "width": 8, "optimiser": {"name": "sgd", "lr": 0.05}, "schedule": {"name": "onecycle"}, "epochs": 2}
    found = Recipe.model_validate(values | {"batch": 64, "augmentation": {"crop_padding": 4, "flip": True}} | changes)
    return settled(found, striped(), torch.device("cuda"))


@pytest.fixture
def recorded(monkeypatch):
    """How many kinds of steps were recorded so far."""
    kinds, record = [], replay.Replay._record
    monkeypatch.setattr(replay.Replay, "_record", lambda self, tensors: kinds.append(len(tensors[0])) or record(self, tensors))
    return kinds


def trained(stripes, settings: Recipe, where: torch.device, epochs: int = 2, kept: int = 600) -> torch.Tensor:
    """All weights after a training."""
    done = train.train(Data(stripes, settings, where), np.arange(kept), settings.model_copy(update={"epochs": epochs}), SEEDS)
    return torch.cat([weight.detach().flatten() for weight in done.model.parameters()]).cpu()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CASES + LARGE, ids=str)
def test_the_kernels_compute_what_pytorch_does_in_double_precision(gpu, case, kind):
    *sizes, adds, relu = case
    layer, x, added, gradient = inputs(*sizes, adds, kind)
    expected = plainly(layer, x, added, relu, gradient)
    layer, gradient = layer.to(gpu), gradient.to(gpu)
    x, added = (None if each is None else each.detach().to(gpu).requires_grad_() for each in (x, added))
    assert norm._fused(layer, x, added)
    found = [each.cpu() for each in by_kernels(layer, x, added, relu, gradient)]
    errors = [error(one, other) for one, other in zip(found, expected, strict=True)]
    # where z is next to 0 a gradient passes or does not, by a rounding: of millions of values, a few in single precision
    assert max(errors) < {(torch.float32, False): 1e-5, (torch.float32, True): 2e-3}.get((kind, relu), 1e-2), errors


@pytest.mark.parametrize("model", ["resnet18_cifar", "resnet18", "resnet32", "plain18", "small_cnn"])
def test_in_evaluation_mode_the_fused_pass_predicts_as_pytorch_does(gpu, stripes, model, monkeypatch):
    settings = recipe(model, precision="float32")
    data = Data(stripes, settings, gpu)
    network = train.build(data, settings, SEEDS).to(gpu)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.3, 0.3)
            layer.running_var.uniform_(0.5, 2)
    fused = train.predict(network, data.train, settings)
    monkeypatch.setattr(norm, "_fused", lambda *_: False)
    assert error(fused, train.predict(network, data.train, settings).double()) < 1e-5


@pytest.mark.parametrize("model", ["resnet18_cifar", "resnet32", "small_cnn"])
def test_equal_seeds_give_equal_bits_and_a_replay_those_of_the_launches(gpu, stripes, model, recorded, monkeypatch):
    settings = recipe(model)
    first, second = (trained(stripes, settings, gpu) for _ in range(2))
    assert torch.equal(first, second)
    assert recorded == [60, 60]
    monkeypatch.setattr(replay, "WARM_UP", 10**9)
    assert torch.equal(first, trained(stripes, settings, gpu))
    assert recorded == [60, 60]


def test_batches_of_two_sizes_share_their_memory_and_spoil_nothing(gpu, stripes, recorded, monkeypatch):
    """Two recordings with one pool, replayed in turn, and clean passes over a validation split between the epochs."""
    settings = recipe(schedule={"name": "plateau", "validation": 0.1})
    first = trained(stripes, settings, gpu, epochs=3, kept=595)
    assert sorted(recorded) == [59, 60]
    monkeypatch.setattr(replay, "WARM_UP", 10**9)
    assert torch.equal(first, trained(stripes, settings, gpu, epochs=3, kept=595))


def test_with_pytorchs_own_normalisation_a_step_is_recorded_too(gpu, stripes, recorded, monkeypatch):
    monkeypatch.setattr(norm, "_kernels", lambda: None)
    first = trained(stripes, recipe(), gpu)
    assert recorded == [60]
    monkeypatch.setattr(replay, "WARM_UP", 10**9)
    assert torch.equal(first, trained(stripes, recipe(), gpu))


def test_every_process_ends_with_the_same_weights(gpu):
    command = [sys.executable, "-c", "from tests.gpu.test_gpu import digest; digest()"]
    found = {subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(3)}
    assert len(found) == 1
    assert len(found.pop().strip()) == 64


def digest() -> None:
    """Train and say what the weights are; in a process of its own."""
    weights = trained(striped(), recipe(), device.choose("auto"))
    print(hashlib.sha256(weights.numpy().tobytes()).hexdigest())


def test_adam_is_replayed_too(gpu, stripes, recorded, monkeypatch):
    settings = recipe("small_cnn", optimiser={"name": "adam", "lr": 1e-3})
    first = trained(stripes, settings, gpu)
    assert recorded == [60]
    monkeypatch.setattr(replay, "WARM_UP", 10**9)
    assert torch.equal(first, trained(stripes, settings, gpu))


@pytest.mark.parametrize(("model", "lr", "tolerance"), [("small_cnn", 0.05, 0.1), ("resnet18_cifar", 0.001, 0.6)])
def test_in_bfloat16_it_stays_near_a_plain_loop_in_single_precision(gpu, small, model, lr, tolerance):
    optimiser = {"name": "sgd", "lr": lr, "nesterov": True, "weight_decay": 5e-4}
    settings = plain.recipe(model=model, optimiser=optimiser, augmentation={}, epochs=2, precision="bfloat16")
    fast = train.train(Data(small, settings, gpu), plain.EVERY_OTHER, settings, SEEDS)
    plain.near(fast, plain.plain_loop(small, settings), tolerance)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("model", ["resnet18_cifar", "small_cnn"])
def test_nothing_inside_an_epoch_waits_for_the_gpu(gpu, stripes, model, recorded, monkeypatch):
    """From the first batch asked for to the last step launched; PyTorch itself refuses every operation that would wait."""
    steps, waits, one_epoch, synchronize = [], [], train._one_epoch, torch.cuda.synchronize

    def guarded(feed):
        torch.cuda.set_sync_debug_mode("error")
        monkeypatch.setattr(torch.cuda, "synchronize", lambda *device: waits.append(len(steps)) or synchronize(*device))
        try:
            for batch in feed:
                yield batch
                steps.append(len(recorded))
            with pytest.raises(RuntimeError, match="synchronizing"):
                batch[0].sum().item()
        finally:
            torch.cuda.set_sync_debug_mode("default")
            monkeypatch.setattr(torch.cuda, "synchronize", synchronize)

    monkeypatch.setattr(train, "_one_epoch", lambda take, rates, feed, answers: one_epoch(take, rates, guarded(feed), answers))
    settings = recipe(model, augmentation={"crop_padding": 4, "flip": True, "rotation": 15})
    trained(stripes, settings, gpu, epochs=3)
    assert steps == [0] * 3 + [1] * 27, "launched at first, then recorded, then replayed"
    assert waits == [3], "PyTorch waits once itself, before it records"


def test_a_step_in_single_precision_is_the_cpus(gpu, stripes):
    """One step; after a few, roundings have grown into other networks, on a CPU too."""
    settings = recipe("small_cnn", precision="float32", batch=600)
    one, other = (trained(stripes, settings, where, epochs=1) for where in (gpu, CPU))
    start = torch.cat(
        [weight.detach().flatten() for weight in train.build(Data(stripes, settings, CPU), settings, SEEDS).parameters()]
    )
    assert ((one - other).norm() / (other - start).norm()).item() < 1e-2


def test_records_are_as_long_and_as_exact_as_on_a_cpu(gpu, stripes):
    settings = recipe("small_cnn")
    recorded = record(Data(stripes, settings, gpu), settings, SEEDS)
    assert recorded.arrays["logits"].shape == (2, 600, 2)
    assert np.array_equal(recorded.arrays["prediction"][-1], recorded.arrays["logits"][-1].argmax(axis=1))
    assert all(np.isfinite(array).all() for array in recorded.arrays.values())
    assert recorded.curves["test_accuracy"][-1] > 0.9
    right = recorded.arrays["test_logits"].argmax(axis=2) == stripes.test_labels
    assert recorded.curves["test_accuracy"] == pytest.approx(right.mean(axis=1), abs=0.01)  # halves make ties


def test_gradients_and_kernels_are_the_cpus(gpu, stripes):
    settings = recipe("small_cnn", precision="float32")
    network = train.build(Data(stripes, settings, CPU), settings, SEEDS)
    images = {where: Images(stripes.train_images[:24], [0.5] * 3, [0.25] * 3, where) for where in (CPU, gpu)}
    labels = torch.from_numpy(stripes.train_labels[:24])
    norms, grams = [], []
    for where in (CPU, gpu):
        model = copy.deepcopy(network).to(where)
        norms.append(full_gradient.gradient_norms(model, images[where], labels.to(where)).cpu())
        grams.append(kernel.gram(model, images[where], torch.arange(24, device=where)).cpu())
    assert error(norms[1], norms[0].double()) < 1e-4
    assert error(grams[1], grams[0].double()) < 1e-4


def test_swav_learns(gpu, stripes):
    from benchmarks import inputs as benchmark_inputs

    settings = benchmark_inputs.study().swav["cifar"].model_copy(update={"epochs": 3, "batch": 64, "prototypes": 16})
    settings = settled(settings, stripes, gpu)
    assert settings.precision == "bfloat16"
    run = swav.SwavTraining(stripes, settings, 0, gpu)
    for epoch in range(3):
        run.train(epoch)
    assert run._losses[-1] < run._losses[0]
    assert run._step._recorded


def test_a_batch_that_does_not_fit_is_halved(gpu, stripes, monkeypatch):
    settings = recipe()
    data = Data(stripes, settings, gpu)
    network = train.build(data, settings, SEEDS).to(gpu)
    expected = embed(network, data.train, settings)[0]
    torch.cuda.empty_cache()
    total, sizes, clean = torch.cuda.get_device_properties(gpu).total_memory, [], Images.clean
    monkeypatch.setattr(Images, "clean", lambda self, index: sizes.append(len(index)) or clean(self, index))
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 150 * 2**20) / total)
    try:
        logits = embed(network, data.train, settings)[0]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert sizes[:2] == [600, 300], "all at once, then halves"
    assert error(logits, expected.double()) < 2e-2
