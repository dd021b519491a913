"""SGD and AdamW, as torch computes them, without `torch.optim.Optimizer` around them.

The first Optimizer of a process imports torch's compiler, only to exclude itself from it: 1.2 s on two cores, as long as a
small training. Its functional core does the same arithmetic, fused, and takes the learning rate with every step.
(Of SGD, which is the default, it is the operator that this core calls.)
"""

import numpy as np
import torch
from torch import nn
from torch.optim.adamw import adamw

from pipeline_lib.config import Adam, Sgd
from pipeline_lib.resume import State

BETAS, EPSILON = (0.9, 0.999), 1e-8  # torch's defaults


class Optimiser:
    """Update a model's weights from their gradients.

    Args:
        model: its parameters must stay where they are.
        settings: kind, momentum or weight decay; the rate comes with each step.
    """

    def __init__(self, model: nn.Module, settings: Adam | Sgd):
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._settings = settings
        self._first = [torch.zeros_like(p) for p in self._parameters]
        if isinstance(settings, Adam):
            self._second = [torch.zeros_like(p) for p in self._parameters]
            self._steps = [torch.zeros((), device=p.device) for p in self._parameters]

    def state(self) -> dict[str, np.ndarray]:
        """Return the running averages, and of Adam the number of steps, by name."""
        return {name: tensor.cpu().numpy() for name, tensor in self._running().items()}

    def restore(self, state: State) -> None:
        """Take over what `state` returned of an optimiser of the same model and settings."""
        for name, tensor in self._running().items():
            tensor.copy_(torch.from_numpy(np.asarray(state[name])))

    def _running(self) -> dict[str, torch.Tensor]:
        kinds = {"first": self._first}
        if isinstance(self._settings, Adam):
            kinds |= {"second": self._second, "steps": self._steps}
        return {f"{kind}{number}": tensor for kind, tensors in kinds.items() for number, tensor in enumerate(tensors)}

    def rate(self, value: float) -> float | torch.Tensor:
        """Return a learning rate as `step` takes it: on a GPU a () float32 tensor there, so that a recorded step can be given
        another."""
        device = self._parameters[0].device
        return torch.full((), value, device=device) if device.type == "cuda" else value

    @torch.no_grad()
    def step(self, rate: float | torch.Tensor) -> None:
        """Take one step at the given learning rate and drop the gradients."""
        gradients, settings = [p.grad for p in self._parameters], self._settings
        if isinstance(settings, Adam):
            adamw(
                self._parameters,
                gradients,
                self._first,
                self._second,
                [],
                self._steps,
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rate,
                weight_decay=settings.weight_decay,
                eps=EPSILON,
                maximize=False,
            )
        else:
            torch._fused_sgd_(  # what `torch.optim.sgd.sgd` calls in the end, after as long as this takes for a small network
                self._parameters,
                gradients,
                self._first if settings.momentum else [],
                weight_decay=settings.weight_decay,
                momentum=settings.momentum,
                lr=rate,
                dampening=0,
                nesterov=settings.nesterov,
                maximize=False,
                is_first_step=False,
            )
        self.drop()

    def drop(self) -> None:
        """Drop the gradients."""
        for parameter in self._parameters:
            parameter.grad = None
