"""On a GPU, the launches of a step are recorded once and replayed: a CUDA graph."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch

log = logging.getLogger("pipeline")
WARM_UP = 3  # calls before one is recorded: libraries set themselves up, kernels are compiled


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    inputs: list[torch.Tensor]
    outputs: tuple[torch.Tensor, ...]


class Replay:
    """Call a function of tensors; on a GPU, from the fourth call with equal shapes on, replay what the fourth one launched.

    A step of a small network is some hundreds of launches of some microseconds each, and the CPU needs longer to ask for them
    than the GPU to do them. A replay asks once. The same kernels do the same arithmetic: results are equal to the last bit.

    Args:
        function: (tensors) -> tensors. What it changes besides (weights, running averages) must stay where it is, and it may
            neither wait for the GPU nor decide by what is computed there. All else that it looks at (a mode, a hook, a number)
            is as it was when it was recorded.

        undo: takes back what a call that ended early may have left behind.

    A recording holds the memory of a call; that of the calls before it is in PyTorch's hands. A GPU needs up to twice a step's;
    where it has no room for that, calls of these shapes are made as they are.
    """

    def __init__(self, function: Callable[..., tuple[torch.Tensor, ...]], undo: Callable[[], object] = lambda: None):
        self._function, self._undo = function, undo
        self._calls: dict[tuple, int] = {}
        self._recorded: dict[tuple, _Recorded | None] = {}
        self._pool = None

    def __call__(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what the function returns, in memory of its own."""
        if not on_gpu(tensors[0]):
            return self._function(*tensors)
        kind = tuple((tensor.shape, tensor.stride(), tensor.dtype) for tensor in tensors)
        if kind not in self._recorded:
            calls = self._calls[kind] = self._calls.get(kind, 0) + 1
            if calls <= WARM_UP:
                return self._function(*tensors)
            self._recorded[kind] = self._record_if_it_fits(tensors)
        recorded = self._recorded[kind]
        if recorded is None:
            return self._function(*tensors)
        for mine, theirs in zip(recorded.inputs, tensors, strict=True):
            mine.copy_(theirs)
        recorded.graph.replay()
        return tuple(output.clone() for output in recorded.outputs)

    def _record_if_it_fits(self, tensors: tuple[torch.Tensor, ...]) -> _Recorded | None:
        try:
            return self._record(tensors)
        except torch.OutOfMemoryError:
            words = "the GPU has no room to record a step of %d images: its operations are launched one by one, which is slower"
            log.warning(words, len(tensors[0]))
        self._undo()
        return None

    def _record(self, tensors: tuple[torch.Tensor, ...]) -> _Recorded:
        """Record one call; nothing is computed."""
        self._pool = self._pool or torch.cuda.graph_pool_handle()  # one for all shapes: they are never replayed at once
        inputs, graph, full = [tensor.clone() for tensor in tensors], torch.cuda.CUDAGraph(), []
        try:
            with torch.cuda.graph(graph, pool=self._pool):
                outputs = self._within_memory(inputs, full)
        except Exception:
            if full:  # after an out-of-memory error the recording fails as well: raise what came first
                raise full[0] from None
            raise
        return _Recorded(graph, inputs, outputs)

    def _within_memory(self, inputs: list[torch.Tensor], full: list[Exception]) -> tuple[torch.Tensor, ...]:
        """Call the function and note if a GPU's memory is full."""
        try:
            return self._function(*inputs)
        except torch.OutOfMemoryError as error:
            full.append(error)
            raise


def on_gpu(tensor: torch.Tensor) -> bool:
    """Return whether work on a tensor is launched rather than done."""
    return tensor.is_cuda
