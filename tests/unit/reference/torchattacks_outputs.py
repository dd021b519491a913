"""Make torchattacks.npz: what torchattacks 3.5.1 does to a few images, which our attacks are tested against.

The library is no dependency of ours. To make the file again, with the library installed beside ours (without its dependencies):

    pip install --no-deps --target elsewhere torchattacks==3.5.1
    PYTHONPATH=.:elsewhere .venv/bin/python tests/unit/reference/torchattacks_outputs.py
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

OUTPUTS = Path(__file__).with_name("torchattacks.npz")
EPSILON, STEPS, STEP = {"linf": 0.1, "l2": 0.8}, 10, 0.25


def network(weights: dict[str, np.ndarray]) -> nn.Module:
    """A convolution and a linear layer, with these weights."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 10))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return model.eval()


def make() -> None:
    """Draw images and weights, attack, write the file."""
    import torchattacks

    generator = torch.Generator().manual_seed(0)
    shapes = {"0.weight": (4, 1, 3, 3), "0.bias": (4,), "3.weight": (10, 144), "3.bias": (10,)}
    weights = {name: 0.3 * torch.randn(shape, generator=generator).numpy() for name, shape in shapes.items()}
    pixels = torch.rand(12, 1, 8, 8, generator=generator)
    pixels[0], pixels[1] = 0, 1
    model = network(weights)
    labels = model(pixels).argmax(dim=1)
    labels[6:] = (labels[6:] + 1) % 10  # half of them are wrong before the attack
    attacks = {
        "fgsm": torchattacks.FGSM(model, eps=EPSILON["linf"]),
        "pgd_linf": torchattacks.PGD(model, EPSILON["linf"], STEP * EPSILON["linf"], STEPS, random_start=False),
        "pgd_l2": torchattacks.PGDL2(model, EPSILON["l2"], STEP * EPSILON["l2"], STEPS, random_start=False),
    }
    found = {name: attack(pixels, labels).numpy() for name, attack in attacks.items()}
    np.savez_compressed(OUTPUTS, pixels=pixels.numpy(), labels=labels.numpy(), **weights, **found)


if __name__ == "__main__":
    make()
