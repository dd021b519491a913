"""The chain on the real CIFAR-10, where config.yaml finds it (`datasets.cifar10.npz`). Minutes long: `make test-slow`."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from tests.workflow.conftest import ROOT, SLIDING_WINDOW, Project

NPZ = ROOT / yaml.safe_load((ROOT / "config.yaml").read_text())["datasets"]["cifar10"]["npz"]


@pytest.mark.slow
@pytest.mark.skipif(not NPZ.exists(), reason=f"CIFAR-10 is not at {NPZ.relative_to(ROOT)}")
def test_a_few_images_of_cifar10_go_through_the_whole_chain(tmp_path):
    project = Project(tmp_path)
    recipes = {"recipes": {"scoring": "scoring", "training": "training"}, "swav": "quick"}
    project.configure(
        **{
            "datasets.cifar10": {"source": "cifar10", "npz": str(Path(NPZ).resolve()), **recipes},
            "datasets.few": {"base": "cifar10", "per_class": 40, **recipes},
            "swav.quick.lr": 0.003,
            "swav.quick.epochs": 10,
        }
    )
    project.make(SLIDING_WINDOW.replace("digits", "few"))
    with h5py.File(tmp_path / "data/cifar10/dataset.h5") as whole, h5py.File(tmp_path / "data/few/dataset.h5") as few:
        assert whole["train/images"].shape == (50_000, 3, 32, 32)
        assert np.bincount(whole["train/labels"][:]).tolist() == [5000] * 10
        assert list(whole["class_names"].asstr()[:3]) == ["airplane", "automobile", "bird"]
        assert np.bincount(few["train/labels"][:]).tolist() == [40] * 10
        origin = [int(name.split("/")[1]) for name in few["train/source_id"].asstr()[:]]
        assert np.array_equal(few["train/images"][:], whole["train/images"][:][origin])
