"""The workflow as a user meets it: the demo from nothing, and a second invocation with nothing to do."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from benchmarks import inputs
from benchmarks.inputs import ROOT
from benchmarks.result import Group, Result, Row, clock, interleave, medians

CORES = 2
SIDE = 32  # pixels of noise that stands for CIFAR-10
TARGET = "results/digits/sliding_window.png"
PAGE = "results/digits/report.html"
SNAKEMAKE = [str(Path(sys.executable).with_name("snakemake")), "--cores", str(CORES)]
UP_TO_DATE = "Nothing to be done"
HOOK = Path(__file__).with_name("busy_hook.py")

NOTHING_HOW = (
    f"`snakemake --cores {CORES} {TARGET}` in this repository when the figure is up to date, from start to exit, after one "
    "to warm up."
)
NOTHING = Row("nothing_to_do", "Second invocation, nothing to do", "s", "at most 4 s")
DEMO_HOW = (
    f"`snakemake --cores {CORES} {TARGET}` in a fresh copy of the repository's files without data or results, from start to exit. "
    "No warm-up: a run from nothing is what is measured."
)
DEMO = Row("demo", f"Digits figure from nothing, {CORES} cores", "s", "at most 60 s")
SHARE = Row(
    "demo_share",
    "Share of the cores' time in training and scoring",
    "%",
    "at least 75%",
    how="In the same runs: the seconds inside the training loops (of the ensemble and the pruned runs), the recording and "
    "testing passes, gradients per example, SwAV, k-means and the metrics, added over all jobs and divided by the wall time "
    "of the run times the number of cores. A hook in the copy reads the clock around these functions in every job. Start: "
    "from the beginning of a job's process until its script's imports are done. The rest of a job reads, writes, draws, and "
    "imports what is only needed later; the rest of the cores' time is Snakemake's, that of the process that jobs are "
    "forked from, that of ending jobs, or idle.",
)
PAGE_HOW = (
    f"`snakemake --cores {CORES} {PAGE}`: all experiments of digits and what is beyond the thesis. Otherwise as the demo, once; "
    "attacks, tangent kernels and the statistics along lines between networks count as training."
)
WHOLE = Row("page", f"All of digits' report from nothing, {CORES} cores", "s")
WHOLE_SHARE = Row("page_share", "Share of the cores' time in training and scoring, all of digits' report", "%", "at least 75%")
SWEEP = "results/cifar10/sweeps/prune_easiest/random.csv"
HELPED_HOW = (
    f"`snakemake --cores {CORES} {SWEEP}` in a copy of the repository's files, where `cifar10` is 5,000 images of noise and is "
    "trained on by the recipe `small` on a CPU, from start to exit; and in turn with it the same with `--cores 1`. The data set is "
    "prepared before; the first pair warms up."
)
HELPED = Row("sweep_helped", f"One sweep on {CORES} cores, where it is helped / on one", "x")


@dataclass(frozen=True)
class Study:
    """One run from nothing.

    Attributes:
        wall: seconds from start to exit.
        jobs: how many there were.
        spent: seconds over all jobs and helpers, by kind: "training", "features", "scoring", "start"; "alive" is their whole life.
    """

    wall: float
    jobs: int
    spent: dict[str, float]

    def share(self, *kinds: str) -> float:
        """Return the percentage of the cores' time that went into some kinds."""
        return 100 * sum(self.spent[kind] for kind in kinds) / (self.wall * CORES)


def measure_nothing(quick: bool) -> Iterator[Result]:
    """Yield the result of an invocation with nothing to do."""
    done = subprocess.run([*SNAKEMAKE, TARGET, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    if UP_TO_DATE not in done.stdout + done.stderr:
        yield Result(NOTHING.key, (), "needs `make demo` first")
        return
    values = [clock(_nothing) for _ in range(2 if quick else 8)][1:]
    yield Result(NOTHING.key, tuple(values), "")


def _nothing() -> None:
    done = subprocess.run([*SNAKEMAKE, TARGET], cwd=ROOT, capture_output=True, text=True)
    if done.returncode or UP_TO_DATE not in done.stdout + done.stderr:
        raise RuntimeError(f"snakemake found something to do, or failed:\n{done.stderr[-2000:]}")


def measure_demo(quick: bool) -> Iterator[Result]:
    """Yield the results of the demo."""
    yield from _results(DEMO, SHARE, [from_nothing(TARGET, quick) for _ in range(1 if quick else 3)])


def measure_page(quick: bool) -> Iterator[Result]:
    """Yield the results of the whole report; a quick trial makes the demo's figure again."""
    yield from _results(WHOLE, WHOLE_SHARE, [from_nothing(TARGET if quick else PAGE, quick)])


def _results(row: Row, share: Row, runs: list[Study]) -> Iterator[Result]:
    yield Result(row.key, tuple(run.wall for run in runs), f"{runs[-1].jobs} jobs")
    kinds = {
        "training": "training",
        "features": "SwAV and k-means",
        "scoring": "metrics",
        "start": "start",
        "alive": "all of the jobs",
    }
    parts = [f"{words} {statistics.median(run.share(kind) for run in runs):.0f}%" for kind, words in kinds.items()]
    yield Result(share.key, tuple(run.share("training", "features", "scoring") for run in runs), ", ".join(parts))


def from_nothing(target: str, quick: bool) -> Study:
    """Make a file in a copy of the project without data or results."""
    with tempfile.TemporaryDirectory() as folder:
        project, busy = Path(folder, "project"), Path(folder, "busy")
        busy.mkdir()
        copy_project(project)
        if quick:
            shrink(project / "config.yaml")
        shutil.copy(HOOK, project / "sitecustomize.py")
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["BENCHMARK_BUSY_FOLDER"] = str(busy)
        wall = clock(lambda: make(project, [target], CORES, environment=environment))
        processes = [json.loads(file.read_text()) for file in busy.glob("*.json")]
        jobs = len(list(busy.glob("job-*.json")))
    if not jobs:
        raise RuntimeError("no job reported its seconds: was its PYTHONPATH changed?")
    return Study(wall, jobs, {kind: sum(process[kind] for process in processes) for kind in processes[0]})


def make(project: Path, targets: Iterable[str], cores: int, *options: str, environment: dict[str, str] | None = None) -> None:
    """Make files in a copy of the project; environment: None: this process's.

    Raises:
        RuntimeError: the workflow failed; carries the end of what it wrote.
    """
    command = [SNAKEMAKE[0], "--cores", str(cores), *options, "--", *targets]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{', '.join(targets)} could not be made:\n{done.stderr[-3000:]}")


def copy_project(destination: Path) -> None:
    """Copy what a checkout would hold: every file that git tracks or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            target = destination / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)


def noise_project(folder: Path, examples: int, recipes: dict, ensemble: dict, experiments: dict) -> None:
    """Copy the repository's files; in the copy `cifar10` is noise, and the only data set.

    Args:
        folder: of the copy.
        examples: training images; a fifth as many are test images.
        recipes, ensemble: what differs from config.yaml in these sections.
        experiments: the whole section.
    """
    copy_project(folder)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    cifar10 = values["datasets"]["cifar10"] | {"experiments": None}
    cifar10["recipes"] |= recipes
    values |= {"datasets": {"cifar10": cifar10}, "metrics": {"el2n": None}, "experiments": experiments}
    values["ensemble"] |= ensemble
    (folder / "config.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    noise = inputs.images(examples, 3, SIDE)
    pixels, labels, tested = noise.train_images.transpose(0, 2, 3, 1), noise.train_labels, examples // 5
    path = folder / cifar10["npz"]
    path.parent.mkdir(parents=True)
    np.savez(path, train_images=pixels, train_labels=labels, test_images=pixels[:tested], test_labels=labels[:tested])


def measure_helped(quick: bool) -> Iterator[Result]:
    """Yield the result of a sweep that is alone on several cores."""
    with tempfile.TemporaryDirectory() as folder:
        project, sizes = Path(folder, "project"), {"shares": [0.5], "seeds": 2} if quick else {"shares": [0.5, 0.7], "seeds": 6}
        noise_project(project, 500 if quick else 5_000, {"training": "small"}, {}, {"prune_easiest": sizes})

        def seconds(cores: int) -> float:
            shutil.rmtree(project / "results", ignore_errors=True)
            return clock(lambda: make(project, [SWEEP], cores, "--config", "device=cpu"))

        make(project, ["data/cifar10/dataset.h5"], 1)
        pairs = interleave(lambda: seconds(1), lambda: seconds(CORES), 1 if quick else 3)
    one, several = medians(pairs)
    trainings = len(sizes["shares"]) * sizes["seeds"]
    yield Result(HELPED.key, tuple(a / b for a, b in pairs), f"{several:.0f} instead of {one:.0f} s, {trainings} trainings")


def shrink(config: Path) -> None:
    """Make the demo of a copy short enough to try out the benchmark."""
    values = yaml.safe_load(config.read_text())
    values["ensemble"] = {"seeds": 2, "epochs": 2}
    values["datasets"] = {"digits": values["datasets"]["digits"] | {"experiments": None}}
    values["metrics"] = {"el2n": None, "random": None}
    values["experiments"] = {"sliding_window": {"starts": [0, 0.6], "seeds": 1, "missing_classes": "allow"}}
    config.write_text(yaml.safe_dump(values, sort_keys=False))


ALONE = Group("sweep", "A sweep that is alone", HELPED_HOW, (HELPED,), measure_helped)
UNCHANGED = Group("nothing", "Nothing to do", NOTHING_HOW, (NOTHING,), measure_nothing)
FROM_NOTHING = Group("demo", "Demo from nothing", DEMO_HOW, (DEMO, SHARE), measure_demo)
WHOLE_PAGE = Group("page", "All of digits' report", PAGE_HOW, (WHOLE, WHOLE_SHARE), measure_page)
