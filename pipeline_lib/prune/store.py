"""The run store: what a pruned training gave, kept under what the training is.

One JSON file per run, named by its identity, so two sweeps that ask for the same training share it, and an interrupted
sweep loses at most the training in flight. Writers need no lock: a file appears whole, and who comes last writes the same.
Deleting the store is always safe.
"""

import json
from pathlib import Path

import numpy as np

from pipeline_lib import fingerprint, storage

FIELDS = ("identity", "kept", "steps", "accuracy", "class_accuracy", "seconds")


def identity(dataset: str, kept: np.ndarray, recipe: dict, code: str, study_seed: int, run_seed: int, device: str) -> str:
    """Return what makes a training this training, as a short hash.

    Args:
        dataset: fingerprint of the data set.
        kept: positions of the kept examples, in any order.
        recipe: plain values.
        code: fingerprint of the training code.
        study_seed, run_seed: what randomness derives from.
        device: kind of device ("cpu", "cuda"): the same seed gives other last digits there.
    """
    return fingerprint.value(dataset, fingerprint.array(np.sort(kept).astype(np.int64)), recipe, code, study_seed, run_seed, device)


class RunStore:
    """A folder of finished runs.

    Args:
        folder: results/{dataset}/runs
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)

    def get(self, key: str) -> dict | None:
        """Return a finished run, or None if there is none that can be read (a damaged file is as good as none)."""
        try:
            run = json.loads(self._path(key).read_text())
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return None
        whole = isinstance(run, dict) and all(name in run for name in FIELDS) and run["identity"] == key
        return run if whole else None

    def put(self, run: dict) -> None:
        """Keep a finished run under its "identity".

        Args:
            run: has every name in `FIELDS`.
        """
        storage.write_json(self._path(run["identity"]), run)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"
