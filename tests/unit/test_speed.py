"""What a training says of its own speed: where its time went, images and operations per second, share of the peak."""

import time

import numpy as np
import pytest
import torch

from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn import augment, models, speed
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.speed import Clock, Speed, peak
from pipeline_lib.learn.train import predict, train

CPU = torch.device("cpu")
SEEDS = Seeds(0, "training", 0)
NAP = 0.02  # seconds


def recipe(**changes) -> Recipe:
    values = {"model": "small_cnn", "width": 4, "optimiser": {"name": "sgd", "lr": 0.05}, "schedule": {"name": "onecycle"}}
    return Recipe.model_validate(values | {"epochs": 3, "batch": 16, "precision": "float32"} | changes)


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, size=(80, 1, 8, 8), dtype=np.uint8), np.arange(80) % 2
    return Dataset(images, labels, images, labels, ["a", "b"], [str(i) for i in range(80)])


def test_a_clock_adds_up_each_part_and_goes_on_from_a_checkpoint(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: float(next(now)))
    clock = Clock(CPU)
    assert clock.timed("work", lambda a, b: a + b)(1, 2) == 3
    assert list(clock.drawing("batches", iter("ab"))) == ["a", "b"]
    assert clock.add_up() == {"work": 1, "batches": 3}, "a second for each batch, and one to see that there are no more"
    later = Clock(CPU)
    later.restore(clock.state())
    later.timed("work", lambda: None)()
    assert later.add_up() == {"work": 2, "batches": 3}


def test_a_gpu_is_timed_by_its_own_events_and_waited_for_once(monkeypatch):
    """Reading a clock on the CPU would time the launches; waiting after each would stop the GPU."""

    class Event:
        now = 0

        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            Event.now += 250  # milliseconds
            self.when = Event.now

        def elapsed_time(self, end):
            return end.when - self.when

    waits = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(speed, "wait", waits.append)
    clock = Clock(torch.device("cuda"))
    assert list(clock.drawing("batches", iter("abc"))) == ["a", "b", "c"]
    clock.timed("work", lambda: None)()
    assert not waits
    assert clock.add_up() == {"batches": 4 * 0.25, "work": 0.25}
    assert len(waits) == 1


def test_making_batches_is_data_and_nothing_else(noise, monkeypatch):
    augmented = augment.Images.augmented

    def slow(self, *arguments):
        time.sleep(NAP)
        return augmented(self, *arguments)

    quick = train(Data(noise, recipe(), CPU), np.arange(80), recipe(), SEEDS).speed
    monkeypatch.setattr(augment.Images, "augmented", slow)
    spent = train(Data(noise, recipe(), CPU), np.arange(80), recipe(), SEEDS).speed
    assert spent.data_seconds >= 3 * NAP, "once an epoch"
    assert spent.compute_seconds < quick.compute_seconds + 2 * NAP
    assert spent.evaluation_seconds < NAP


def test_a_gpu_that_is_full_has_no_yardstick(monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(speed.torch, "randn", full)
    speed._peak.cache_clear()
    assert np.isnan(peak(CPU, "float32"))
    assert Speed(images=10, flops=1e9, compute_seconds=1).words(float("nan")) == (
        "10 images/s, 0.001 TFLOP/s; time: data 0%, compute 100%, evaluation 0%, files 0%"
    )


def test_rates_are_those_of_the_loop_and_accounts_add_up():
    one = Speed(images=1000, flops=4e9, data_seconds=1, compute_seconds=3, evaluation_seconds=5, io_seconds=1)
    assert (one.images_per_second, one.flops_per_second) == (250, 1e9)
    both = one + Speed(images=1000, flops=0, data_seconds=0, compute_seconds=1)
    assert (both.images_per_second, both.evaluation_seconds) == (400, 5)
    assert one.record(2e9)["peak_flops_per_second"] == 2e9
    assert one.words(2e9) == (
        "250 images/s, 0.001 TFLOP/s, 50% of the measured peak; time: data 10%, compute 30%, evaluation 50%, files 10%"
    )
    assert Speed().words(2e9) == "", "nothing was trained"


def test_the_account_of_a_training_is_its_wall_clock_time(noise):
    data = Data(noise, recipe(), CPU)
    begin = time.perf_counter()
    done = train(data, np.arange(80), recipe(), SEEDS, after_epoch=lambda epoch, model: time.sleep(NAP))
    wall = time.perf_counter() - begin
    account = done.speed
    assert account.images == 3 * 80
    assert account.evaluation_seconds >= 4 * NAP, "before the first step and after each of three epochs"
    assert account.data_seconds > 0
    assert account.compute_seconds > 0
    assert done.seconds == pytest.approx(account.data_seconds + account.compute_seconds, abs=1e-3), "no validation split"
    assert done.seconds + account.evaluation_seconds <= wall


def test_the_validation_split_is_evaluation_and_part_of_the_loop(noise):
    plateau = recipe(schedule={"name": "plateau", "validation": 0.2})
    done = train(Data(noise, plateau, CPU), np.arange(80), plateau, SEEDS)
    assert done.speed.evaluation_seconds > 0
    parts = (done.speed.data_seconds, done.speed.compute_seconds, done.speed.evaluation_seconds)
    assert done.seconds == pytest.approx(sum(parts), abs=1e-3)


def test_the_peak_is_measured_once_and_leaves_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    found = peak(CPU, "float32")
    assert torch.equal(torch.rand(1), expected)
    assert 1e8 < found < 1e14, "FLOP/s of a core"
    assert peak(CPU, "float32") == found


def test_bfloat16_is_taken_where_it_is_asked_for(noise):
    exact, coarse = recipe(), recipe(precision="bfloat16")
    data, model = Data(noise, exact, CPU), models.build("small_cnn", 1, 8, 2, 4, seed=0)
    one, other = predict(model, data.train, exact), predict(model, data.train, coarse)
    assert other.dtype == torch.float32, "logits are handed out as always"
    assert not torch.equal(one, other)
    assert torch.allclose(one, other, atol=0.02), "8 bits of mantissa"
    assert train(data, np.arange(80), coarse, SEEDS).train_loss[-1] == pytest.approx(
        train(data, np.arange(80), exact, SEEDS).train_loss[-1], abs=0.05
    )
