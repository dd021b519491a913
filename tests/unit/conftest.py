"""What the tests of forks share, and those of trainings through a run store."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline_lib import fingerprint
from pipeline_lib.config import Recipe
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer
from tests.forks import PRELOADED, Server
from tests.tiny import RECIPE

TODAY = fingerprint.code(*fingerprint.TRAINING)


@pytest.fixture
def serve():
    with contextlib.ExitStack() as stack:

        def start(*libraries: str, **settings) -> Server:
            server = Server(*libraries, **settings)
            stack.callback(server.end)
            return server

        yield start


@pytest.fixture
def server(serve):
    return serve(PRELOADED)


@pytest.fixture
def script(tmp_path):
    """Writes what Snakemake could have written for a rule."""
    folder = tmp_path / ".snakemake/scripts"
    folder.mkdir(parents=True)

    def write(body: str, name: str = "job.py") -> Path:
        path = folder / name
        path.write_text(f"import os, sys, time\nimport pipeline_lib\n{body}")
        return path

    return write


@pytest.fixture
def tiny():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    images = (rng.integers(0, 100, size=(40, 1, 8, 8)) + 100 * labels[:, None, None, None]).astype(np.uint8)
    return Dataset(images, labels, images[:10], labels[:10], ["dark", "bright"], [str(i) for i in range(40)])


@pytest.fixture
def new_trainer(tiny, tmp_path):
    """Make a trainer as another process would, on the store of the given name."""

    def make(store="runs", kind=Trainer, code=TODAY):
        return kind(
            tiny, tiny.fingerprint(), Recipe.model_validate(RECIPE), code, 0, torch.device("cpu"), RunStore(tmp_path / store)
        )

    return make
