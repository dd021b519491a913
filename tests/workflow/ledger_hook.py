"""Write down when a training begins and when its result is kept, in every job of a study that the kill test runs.

The kill test puts this file into its copy of the project under the name `sitecustomize.py`, which every Python process there
imports first. One line per event: time in nanoseconds, process, "begin" or "kept", what the training is.
"""

import functools
import importlib.machinery
import os
import sys
import time

LEDGER = os.environ.get("KILL_TEST_LEDGER")
WATCHED = ("pipeline_lib.resume", "pipeline_lib.prune.store")


def note(event: str, what: str) -> None:
    """Append one line; a line this short is written at once or not at all."""
    handle = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, f"{time.time_ns()} {os.getpid()} {event} {what}\n".encode())
    os.close(handle)


def watch_resume(module) -> None:
    """A training that is not taken back begins; its identity is noted when it is kept."""
    take_back, keep = module.take_back, module.keep

    @functools.wraps(take_back)
    def watched_take_back(path, identity):
        found = take_back(path, identity)
        if not found:
            note("begin", f"{path}={identity}")
        return found

    @functools.wraps(keep)
    def watched_keep(path):
        import h5py

        keep(path)
        with h5py.File(path, "r", locking=False) as file:
            note("kept", f"{path}={file.attrs['identity']}")

    module.take_back, module.keep = watched_take_back, watched_keep


def watch_store(module) -> None:
    """A run begins when its checkpoint is asked for, and is kept when it is put into the store."""
    put, checkpoint = module.RunStore.put, module.RunStore.checkpoint

    @functools.wraps(checkpoint)
    def watched_checkpoint(self, key, seconds):
        note("begin", key)
        return checkpoint(self, key, seconds)

    @functools.wraps(put)
    def watched_put(self, run):
        put(self, run)
        note("kept", run["identity"])

    module.RunStore.put, module.RunStore.checkpoint = watched_put, watched_checkpoint


class Finder(importlib.machinery.PathFinder):
    """Finds modules as usual, and wraps what is watched in them once they are loaded."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Return the spec of a watched module; leave all others to the usual finders."""
        if name not in WATCHED:
            return None
        spec = super().find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_watch(module) -> None:
            load(module)
            (watch_resume if name == WATCHED[0] else watch_store)(module)

        spec.loader.exec_module = load_and_watch
        return spec


if LEDGER:
    sys.meta_path.insert(0, Finder)
