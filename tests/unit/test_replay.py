"""A step that a GPU replays, with a recorder that stands in for the GPU's: which calls are recorded, and what comes out."""

import contextlib
import gc
import weakref

import pytest
import torch
from torch import nn

from pipeline_lib.config import Recipe
from pipeline_lib.learn import replay
from pipeline_lib.learn.optimise import Optimiser
from pipeline_lib.learn.replay import WARM_UP, Replay
from pipeline_lib.learn.step import Step


class Graph:
    """Compute what was recorded again, from the same memory into the same memory."""

    def __init__(self, function, inputs):
        self.function, self.inputs, self.outputs = function, inputs, function(*(tensor.clone() for tensor in inputs))

    def replay(self) -> None:
        for mine, new in zip(self.outputs, self.function(*self.inputs), strict=True):
            mine.copy_(new)


def replayed(function, monkeypatch) -> tuple[Replay, list[int]]:
    """A Replay that takes CPU tensors for a GPU's, and the sizes that it recorded."""
    sizes = []

    def record(self, tensors):
        sizes.append(len(tensors[0]))
        inputs = [tensor.clone() for tensor in tensors]
        graph = Graph(function, inputs)
        return replay._Recorded(graph, inputs, graph.outputs)

    monkeypatch.setattr(Replay, "_record", record)
    monkeypatch.setattr(replay, "on_gpu", lambda tensor: True)
    return Replay(function), sizes


def test_each_shape_is_recorded_once_and_answers_are_its_own(monkeypatch):
    calls = []

    def function(x, rate):
        calls.append(len(x))
        return x * rate, x.sum()

    replays, sizes = replayed(function, monkeypatch)
    kept = []
    for number in range(1, 9):
        for size in (5, 4):
            kept.append((number, size, replays(torch.full((size,), float(number)), torch.tensor(10.0))))
    assert sizes == [5, 4]
    assert calls[: 2 * WARM_UP] == [5, 4] * WARM_UP, "the first calls of each shape are made as they are"
    for number, size, (product, total) in kept:  # looked at in the end: a later replay writes into none of them
        assert torch.equal(product, torch.full((size,), 10.0 * number))
        assert total == number * size


def test_another_rate_reaches_a_recorded_step(monkeypatch):
    replays, _ = replayed(lambda x, rate: (x * rate,), monkeypatch)
    found = [replays(torch.ones(1), torch.tensor(float(rate)))[0].item() for rate in range(8)]
    assert found == list(range(8))


def test_a_step_that_there_is_no_room_to_record_goes_on_as_it_is(monkeypatch, caplog):
    replays, _ = replayed(lambda x: (2 * x,), monkeypatch)
    undone, record = [], Replay._record

    def full(self, tensors):
        if len(tensors[0]) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return record(self, tensors)

    monkeypatch.setattr(Replay, "_record", full)
    replays._undo = lambda: undone.append(len(undone))
    with caplog.at_level("WARNING", logger="pipeline"):
        found = [replays(torch.full((size,), 1.0))[0].tolist() for _ in range(3 * WARM_UP) for size in (5, 4)]
    assert found == [[2.0] * 5, [2.0] * 4] * 3 * WARM_UP
    assert undone == [0], "tried once"
    assert caplog.text.count("no room to record a step of 5 images") == 1


def test_on_a_cpu_the_function_is_called(monkeypatch):
    monkeypatch.setattr(Replay, "_record", lambda *_: 1 / 0)
    result = torch.ones(2)
    replays = Replay(lambda x, rate: (result,))
    assert all(replays(torch.ones(1), 0.1)[0] is result for _ in range(2 * WARM_UP))


def test_a_full_memory_is_named_whatever_the_recording_says_to_it(monkeypatch):
    """CUDA ends a recording that has failed with an error of its own, which would read as a broken GPU."""

    @contextlib.contextmanager
    def recording(graph, pool):
        try:
            yield
        except BaseException:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture") from None

    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)

    def function(x):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
        Replay(function)._record((torch.ones(1),))

    def broken(x):
        raise ValueError("something else")

    with pytest.raises(RuntimeError, match="previous error"):
        Replay(broken)._record((torch.ones(1),))


def test_a_finished_training_gives_its_recorded_steps_back_at_once():
    """Their memory on a GPU is that of the whole step; a sweep trains many times in one process."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    recipe = Recipe.model_validate(
        {
            "model": "small_cnn",
            "optimiser": {"name": "sgd", "lr": 0.1},
            "schedule": {"name": "constant"},
            "epochs": 1,
            "batch": 3,
            "precision": "float32",
        }
    )
    gc.disable()
    try:
        take = Step(network, Optimiser(network, recipe.optimiser), recipe)
        take(0.1, torch.zeros(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64))
        recorded = weakref.ref(take._replay)
        del take
        assert recorded() is None
    finally:
        gc.enable()
