"""Count the seconds that a job of the workflow spends in training and scoring.

The demo's benchmark puts this file into its copy of the project under the name `sitecustomize.py`, which every Python process
there imports first. It wraps a few functions of the library when their modules are imported, and writes the sums when the
job ends. Nothing of the library is imported or changed otherwise; two clock readings per call are all it costs.
"""

import contextlib
import functools
import importlib
import importlib.machinery
import json
import os
import sys
import time

FOLDER = os.environ.get("BENCHMARK_BUSY_FOLDER")
BORN = "BENCHMARK_BUSY_BORN"  # when the job's own process began, which a fork that runs its script is told too
# module -> function -> what it does, and what it imports inside: an import is not training
WATCHED = {
    "pipeline_lib.learn.train": {"train": ("training", ()), "predict": ("training", ()), "loss_and_accuracy": ("training", ())},
    "pipeline_lib.learn.embed": {"gradient_norm": ("training", ()), "distance_to_class_mean": ("training", ())},
    "pipeline_lib.learn.full_gradient": {"gradient_norms": ("training", ())},
    "pipeline_lib.learn.kernel": {"gram": ("training", ())},
    "pipeline_lib.learn.connect": {"average_statistics": ("training", ())},
    "pipeline_lib.learn.attack": {"perturb": ("training", ())},
    "pipeline_lib.learn.swav": {"train_swav": ("features", ("lightly.loss", "lightly.models.modules"))},
    "pipeline_lib.learn.cluster": {"kmeans": ("features", ("faiss",))},
    "pipeline_lib.scores": {"compute": ("scoring", ())},
}
JOB = "pipeline_lib.job"  # a script enters its `job` once its imports are done
seconds = {"training": 0.0, "features": 0.0, "scoring": 0.0, "start": 0.0}


def watch(function, kind: str, imports: tuple[str, ...]):
    """Return the function with a clock around it."""

    @functools.wraps(function)
    def watched(*args, **kwargs):
        for name in imports:
            importlib.import_module(name)
        begin = time.perf_counter()
        result = function(*args, **kwargs)
        spent = time.perf_counter() - begin
        if function.__name__ == "train":
            spent = result.seconds  # its loop; what it calls after each epoch counts for itself
        elif sys._getframe(1).f_code.co_name == "_validate":
            spent = 0.0  # inside the loop, which counts it
        seconds[kind] += spent
        return result

    return watched


def accounted(job):
    """Return the context of a job, noting when its script's imports are done, and writing the sums at its end."""

    @contextlib.contextmanager
    def account(*args, **kwargs):
        from pipeline_lib import forkserver

        helper = forkserver.helping()
        born = forked() if helper else float(os.environ[BORN])
        seconds["start"] = time.time() - born
        try:
            with job(*args, **kwargs) as log:
                yield log
        finally:
            with open(os.path.join(FOLDER, f"{'helper' if helper else 'job'}-{os.getpid()}.json"), "w") as file:
                json.dump({**seconds, "alive": time.time() - born}, file)

    return account


def forked() -> float:
    """Return when this process began, in seconds since 1970."""
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


class Finder(importlib.machinery.PathFinder):
    """Finds modules as usual, and wraps what is watched in them once they are loaded."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Return the spec of a watched module; leave all others to the usual finders."""
        if name != JOB and name not in WATCHED:
            return None
        spec = super().find_spec(name, path, target)
        load = spec.loader.exec_module

        def load_and_watch(module) -> None:
            load(module)
            if name == JOB:
                module.job = accounted(module.job)
            for function, (kind, imports) in WATCHED.get(name, {}).items():
                setattr(module, function, watch(getattr(module, function), kind, imports))

        spec.loader.exec_module = load_and_watch
        return spec


if FOLDER:
    sys.meta_path.insert(0, Finder)
    os.environ[BORN] = str(time.time())
