"""The run store: what a pruned training gave, kept under what the training is.

One JSON file per run, named by its identity, so two sweeps that ask for the same training share it, and an interrupted
sweep loses at most the training in flight. Writers need no lock: a file appears whole, and who comes second finds it there. Who is
about to train says so, so that others meanwhile do something else. Deleting the store is always safe.

The network itself is kept only for who asks for it, in a file beside the run. Without that file the run is as good as before.
"""

import contextlib
import errno
import json
import logging
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from pipeline_lib import fingerprint, storage
from pipeline_lib.errors import PipelineError
from pipeline_lib.resume import Checkpoint

log = logging.getLogger("pipeline")

# times besides `seconds`: they differ when the same training is done again
CLOCKED = ("data_seconds", "compute_seconds", "evaluation_seconds", "io_seconds", "peak_flops_per_second")
TESTED = ("accuracy", "balanced_accuracy", "class_accuracy", "confusion")
FIELDS = ("identity", "kept", "steps", *TESTED, "seconds", "flops", "images", *CLOCKED)
CHECKSUM = "checksum"  # of everything else in the file
POLL = 0.05  # seconds between looks at a claim
MODEL = ".model.h5"  # ends the name of a run's network, kept on request
CURVE = "epoch_accuracy"  # kept for the runs that an experiment follows from epoch to epoch
# kept for the runs that are followed on held-out examples
VALIDATED = (
    *("validation_accuracy", "validation_balanced_accuracy", "validation_class_accuracy"),
    *("validation_loss", "train_loss"),
)


def identity(
    dataset: str,
    kept: np.ndarray | list[np.ndarray],
    recipe: dict,
    code: str,
    study_seed: int,
    run_seed: int,
    device: str,
    steps_of: int | None = None,
) -> str:
    """Return what makes a training this training, as a short hash.

    Args:
        dataset: fingerprint of the data set.
        kept: positions of the kept examples, in any order; or one such array for every epoch.
        recipe: plain values.
        code: fingerprint of the training code.
        study_seed, run_seed: what randomness derives from.
        device: kind of device ("cpu", "cuda"): the same seed gives other last digits there.
        steps_of: number of examples whose number of steps is taken; None: that of the kept ones.
    """
    subsets = {id(subset): np.sort(subset).astype(np.int64) for subset in (kept if isinstance(kept, list) else [kept])}
    hashes = {key: fingerprint.array(subset) for key, subset in subsets.items()}
    trained_on = [hashes[id(subset)] for subset in kept] if isinstance(kept, list) else [hashes[id(kept)]]
    return fingerprint.value(dataset, trained_on, recipe, code, study_seed, run_seed, device, steps_of)


class RunStore:
    """A folder of finished runs.

    Args:
        folder: results/{dataset}/runs
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)

    def get(self, key: str, also: Iterable[str] = ()) -> dict | None:
        """Return a finished run, or None if there is none that can be read (a damaged file is as good as none).

        Args:
            key: its identity.
            also: fields that it must hold besides `FIELDS`.
        """
        try:
            run = json.loads(self._path(key).read_text())
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return None
        except OSError as error:
            raise storage.CannotRead(
                f"{self._path(key)}: cannot be read ({error.strerror}). Check who owns the run store"
            ) from error
        if not isinstance(run, dict) or run.pop(CHECKSUM, None) != fingerprint.value(run):
            log.warning("%s: damaged, taken for absent", self._path(key))
            return None
        whole = all(name in run for name in (*FIELDS, *also)) and run["identity"] == key
        return run if whole else None

    def put(self, run: dict) -> None:
        """Keep a finished run under its "identity"; the first stays, unless it lacks what this one was followed for.

        Args:
            run: has every name in `FIELDS`, and perhaps `CURVE` or those in `VALIDATED`.
        """
        if self.get(run["identity"], [name for name in (CURVE, *VALIDATED) if name in run]):
            return
        storage.write_json(self._path(run["identity"]), run | {CHECKSUM: fingerprint.value(run)})

    @contextlib.contextmanager
    def claim(self, key: str, patience: float) -> Iterator[bool]:
        """Keep other processes on this machine from doing a training at the same time, as far as they ask. One at a time.

        A claim is a name in the system's memory: it ends with the process, however that ends, and no disk has to know locks.

        Args:
            key: the training's identity.
            patience: seconds to wait until nobody else claims it.

        Yields:
            Whether it is claimed. Where the system has no such names everybody may do everything: that costs time, nothing else.
        """
        name = f"\0pruning-pipeline-{fingerprint.value(str(self._folder.resolve()), key)}"
        end = time.monotonic() + patience
        with socket.socket(socket.AF_UNIX) as claim:
            while not (mine := _takes(claim, name)) and time.monotonic() < end:
                time.sleep(POLL)
            yield mine

    def model(self, key: str) -> dict[str, np.ndarray] | None:
        """Return the weights and buffers of a run's network by name, or None if they were not kept or cannot be read.

        Args:
            key: its identity.
        """
        try:
            with storage.open_h5(self._model_path(key), "") as file:
                if file.attrs.get("identity") == key:
                    return {name: value[()] for name, value in file.items()}
        except storage.CannotRead:
            raise  # it may be good: nothing is trained in its place
        except PipelineError:  # absent or damaged
            pass
        return None

    def put_model(self, key: str, state: Mapping[str, np.ndarray]) -> None:
        """Keep the network of a run.

        Args:
            key: its identity.
            state: its weights and buffers by name.
        """
        storage.write_h5(self._model_path(key), state, {"identity": key})
        log.info("kept the network of run %s: %.3g MB", key, self.model_bytes(key) / 1e6)

    def model_bytes(self, key: str) -> int:
        """Return the size of a kept network on the disk."""
        return self._model_path(key).stat().st_size

    def checkpoint(self, key: str, seconds: float) -> Checkpoint:
        """Return where the state of an unfinished run is kept.

        Args:
            key: its identity.
            seconds: age from which a new state is written.
        """
        return Checkpoint(self._path(key), key, seconds)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _model_path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{MODEL}"


def _takes(claim: socket.socket, name: str) -> bool:
    try:
        claim.bind(name)
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True
