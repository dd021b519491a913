"""What survives an interruption: the state of a training that is under way, and a finished file that Snakemake gives up.

Snakemake deletes what a job has written if it did not see the job end. A finished training is not repeated for that: its file
has a second, hidden name, under which the next job finds it.
"""

import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np

from pipeline_lib import seal, storage
from pipeline_lib.errors import PipelineError

log = logging.getLogger("pipeline")
State = Mapping[str, np.ndarray]


class Checkpoint:
    """A training's state beside its result, written at the end of an epoch if the last one has become too old.

    Args:
        path: of the result.
        identity: what the training is; a state of another training is not taken.
        seconds: age from which a new one is written.

    Attributes:
        seconds: spent in writing and reading, by earlier jobs too.
    """

    def __init__(self, path: str | Path, identity: str, seconds: float):
        path = Path(path)
        self.path = path.with_name(f".{path.name}.checkpoint")
        self._identity, self._age, self.seconds = identity, seconds, 0.0
        self._parts: dict[str, tuple[Callable[[], State], Callable[[State], None]]] = {}
        self._written = time.monotonic()

    def add(self, name: str, state: Callable[[], State], restore: Callable[[State], None]) -> None:
        """Add a part of the training.

        Args:
            name: of the part.
            state: returns its arrays.
            restore: is given them back.
        """
        self._parts[name] = state, restore

    def resume(self) -> int:
        """Give every part its state back and return how many epochs were done; 0 if there is no state that fits."""
        begin = time.perf_counter()
        try:
            with storage.open_h5(self.path, "") as file:
                if file.attrs["identity"] != self._identity or set(file) != set(self._parts):
                    return 0
                epochs, self.seconds = int(file.attrs["epochs"]), float(file.attrs["seconds"])
                states = {name: {key: value[()] for key, value in file[name].items()} for name in self._parts}
        except storage.CannotRead:
            raise  # it may be good: nothing is trained over it
        except PipelineError:  # absent or damaged
            return 0
        for name, (_, restore) in self._parts.items():
            restore(states[name])
        self.seconds += time.perf_counter() - begin
        log.info("goes on after epoch %d, where an earlier job was interrupted", epochs)
        return epochs

    def after(self, epochs: int) -> None:
        """Keep the state after so many epochs, if the last one is too old. A disk that is full does not stop the training."""
        if time.monotonic() - self._written < self._age:
            return
        begin = time.perf_counter()
        arrays = {f"{name}/{key}": value for name, (state, _) in self._parts.items() for key, value in state().items()}
        try:
            storage.write_h5(self.path, arrays, {"identity": self._identity, "epochs": epochs, "seconds": self.seconds})
        except (PipelineError, OSError) as error:
            log.warning("no checkpoint: %s", error)
        self.seconds += time.perf_counter() - begin
        self._written = time.monotonic()

    def remove(self) -> None:
        """Remove the state; the result is there."""
        self.path.unlink(missing_ok=True)


def keep(path: str | Path) -> None:
    """Give a finished HDF5 file, which has the attribute `identity`, its second name. It takes no room."""
    kept = _kept(path)
    with contextlib.suppress(OSError):  # a file system without hard links: an interruption may cost this training
        kept.unlink(missing_ok=True)
        os.link(path, kept)


def take_back(path: str | Path, identity: str) -> bool:
    """Put a finished file back under its name, if it is the one that is wanted and whole.

    Args:
        path: where the result is to be.
        identity: what the training is.

    Returns:
        Whether it is there now.
    """
    kept, beside = _kept(path), Path(path).with_name(f".{Path(path).name}.{os.getpid()}.link")
    try:
        if not kept.is_file() or seal.stamp_fault(kept):
            return False
        with h5py.File(kept, "r", locking=False) as file:
            if file.attrs.get("identity") != identity:
                return False
        os.link(kept, beside)
        os.replace(beside, path)
    except OSError:  # of another user, or copied to where there are no hard links: it is trained again
        return False
    log.info("was finished by an earlier job, and is taken as it is")
    return True


def _kept(path: str | Path) -> Path:
    return Path(path).with_name(f".{Path(path).name}.finished")
