"""Kill a study again and again, at moments and in stages drawn from a seed, resume it, and compare it with one left in peace.

    python -m tests.workflow.killing --trials 200 --seed 0

A trial starts Snakemake, waits until it has begun a drawn number of jobs and a little longer, kills, and looks at what is left.
When a study gets to its end, its tables and scores must be, byte for byte, those of an uninterrupted one; then everything is
deleted and the next study begins. Printed at the end, and written to --output as JSON: trials by what ran when the blow fell and
by victim, and every violation.
"""

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import pandas as pd

from pipeline_lib.prune.sweep import TIMES
from pipeline_lib.verify import verify
from tests.workflow.conftest import CORRELATION, SLIDING_WINDOW, Project

TARGETS = (SLIDING_WINDOW, CORRELATION)
VICTIMS = {"job": signal.SIGKILL, "snakemake": signal.SIGKILL, "all": signal.SIGKILL, "all, asked": signal.SIGTERM}
TRAININGS = 3 + 2 * 2 * 2 + 3 * 2  # 2 members and SwAV; by 2 metrics 2 windows with 2 seeds each; 3 baselines with 2 seeds
MOST_JOBS = 3  # begun before a blow falls
LATEST = 2.5  # seconds after the last of them was seen; jobs of the tiny study take about as long
LONG = 40  # epochs of a training: on an idle core a helper comes before the last is done
PATIENCE = 300  # seconds for a whole tiny study, on a busy machine too
COMPARED = ("*.csv", "scores/*.h5")  # byte by byte
RECORDED = ("dynamics/*.h5", "features/*.h5", "clusters/*.h5")  # array by array: they also say how long they took


class Study:
    """A tiny study that keeps a ledger of its trainings; its states are kept after every epoch."""

    def __init__(self, folder: Path, epochs: int = 2):
        folder.mkdir(parents=True, exist_ok=True)
        self.project = Project(folder)
        shutil.copy(Path(__file__).with_name("ledger_hook.py"), folder / "sitecustomize.py")
        self.project.configure(checkpoint_seconds=0, **{"experiments.sliding_window.metrics": ["el2n", "km"]})
        self.project.configure(metrics={"el2n": {}, "km": {"k": "elbow"}}, **{"recipes.training.epochs": epochs})
        self.folder, self.ledger = folder, folder / "ledger.txt"

    def start(self) -> subprocess.Popen:
        """Start Snakemake in a session of its own."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", "--nolock", *TARGETS],
            cwd=self.folder,
            env=environment | {"KILL_TEST_LEDGER": str(self.ledger)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wipe(self) -> None:
        """Delete all results, and the ledger of the trainings that made them."""
        for name in ("data", "results", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self.ledger.unlink(missing_ok=True)

    def finish(self) -> None:
        """Let Snakemake do what is left; fail with what it says if it fails."""
        done = self.project.snakemake("--cores", "2", "--nolock", *TARGETS, KILL_TEST_LEDGER=str(self.ledger))
        assert done.returncode == 0, done.stdout

    def finished(self) -> dict[str, object]:
        """Return the content of every result: bytes of tables and scores, all else without what measures time."""
        results = self.folder / "results/digits"
        found = {path: path.read_bytes() for pattern in COMPARED for path in results.glob(pattern)}
        found |= {path: _arrays(path) for pattern in RECORDED for path in results.glob(pattern)}
        found |= {path: pd.read_csv(path).drop(columns=[*TIMES]).to_csv() for path in results.glob("sweeps/*/*.csv")}
        return {str(path.relative_to(results)): content for path, content in found.items()}

    def kept(self) -> set[str]:
        """Return every training whose result was kept."""
        return {what for _, event, what in self._events() if event == "kept"}

    def trained_again(self) -> list[str]:
        """Return the trainings that began after their result had been kept."""
        kept, again = set(), []
        for _, event, what in self._events():
            if event == "kept":
                kept.add(what)
            elif what in kept:
                again.append(what)
        return again

    def _events(self) -> list[tuple[int, str, str]]:
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        split = [line.split(maxsplit=3) for line in lines]
        return sorted((int(when), event, what) for when, _, event, what in split)


def _arrays(path: Path) -> dict[str, bytes]:
    arrays = {}
    with h5py.File(path, "r", locking=False) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def jobs_of(process: subprocess.Popen) -> dict[int, str]:
    """Return the job processes of a running Snakemake: process number -> stage."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
                session = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3])
            except (OSError, IndexError, ValueError):
                continue  # it has ended
            scripts = [a.decode() for a in arguments if b".snakemake/scripts/" in a]
            if session == process.pid and scripts:
                found[int(entry.name)] = scripts[0].split(".")[-2]
    return found


def wait_for(process: subprocess.Popen, number: int) -> bool:
    """Return whether so many jobs were seen before Snakemake ended."""
    begin, seen = time.monotonic(), set()
    while process.poll() is None and time.monotonic() - begin < PATIENCE:
        seen |= set(jobs_of(process))
        if len(seen) >= number:
            return True
        time.sleep(0.02)
    return False


def kill(process: subprocess.Popen, victim: str, rng: random.Random) -> str:
    """Kill, wait until nothing that was started runs any more, and return the stage of a job that ran when the blow fell."""
    jobs = jobs_of(process)
    struck = rng.choice(sorted(jobs)) if jobs else None
    if victim == "job":
        _send(struck or process.pid, signal.SIGKILL)  # the others go on, and what does not need it
    elif victim == "snakemake":
        _send(process.pid, signal.SIGKILL)  # its jobs live on, and finish what they write
    else:
        os.killpg(process.pid, VICTIMS[victim])
    process.wait(PATIENCE)
    begin = time.monotonic()
    while jobs_of(process) and time.monotonic() - begin < PATIENCE:
        time.sleep(0.05)
    return jobs.get(struck, "between jobs")


def _send(number: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        os.kill(number, what)


def faults(study: Study) -> list[str]:
    """Return what is wrong with what a killed study left behind."""
    folders = [study.folder / name for name in ("data", "results") if (study.folder / name).is_dir()]
    bad = [f"{path.relative_to(study.folder)}: {fault}" for path, fault in verify(folders).faults.items()]
    bad += [f"trained again: {what}" for what in study.trained_again()]
    logs = (study.folder / "results").rglob("*.log") if (study.folder / "results").is_dir() else ()
    for path in logs:
        bad += [
            f"{path.name} has {words!r}" for words in ("damaged", "unexpected error") if words in path.read_text(errors="replace")
        ]
    return bad


def run(trials: int, seed: int, work: Path, tell=lambda text: None) -> dict:
    """Carry out the trials.

    Args:
        trials: how many kills.
        seed: of moments, stages and victims.
        work: an empty folder.
        tell: is given a line after every study.

    Returns:
        Counts by stage and victim, the number of studies that were finished and compared, and every violation.
    """
    rng, counts, violations = random.Random(seed), collections.Counter(), []
    peaceful = Study(work / "left in peace", LONG)
    peaceful.finish()
    expected, trainings = peaceful.finished(), peaceful.kept()
    assert len(trainings) == TRAININGS, f"the ledger knows {len(trainings)} trainings of {TRAININGS}"
    study, done, studies = Study(work / "killed, äöü", LONG), 0, 0
    while done < trials:
        number, victim = rng.randint(1, MOST_JOBS), rng.choice(list(VICTIMS))
        process = study.start()
        if wait_for(process, number):
            time.sleep(rng.uniform(0, LATEST))
            stage = kill(process, victim, rng)
            counts[f"{stage} / {victim}"] += 1
            done += 1
            violations += [f"trial {done} ({stage}, {victim}): {what}" for what in faults(study)]
            if done < trials:
                continue
        process.wait(PATIENCE)
        study.finish()
        violations += [f"after trial {done}: {what}" for what in faults(study)]
        different = [name for name, content in study.finished().items() if content != expected.get(name)]
        different += [name for name in expected if name not in study.finished()]
        violations += [f"after trial {done}: nobody kept {what}" for what in trainings - study.kept()]
        violations += [f"after trial {done}: {name} differs from the uninterrupted study" for name in different]
        studies += 1
        tell(f"{done} of {trials} trials, {studies} studies finished and compared, {len(violations)} violations")
        study.wipe()
    return {"trials": done, "studies": studies, "by stage and victim": dict(sorted(counts.items())), "violations": violations}


def main() -> int:
    """Run, print, and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.workflow.killing")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as work:
        found = run(given.trials, given.seed, Path(work), tell=lambda text: print(text, flush=True))
    found |= {"seed": given.seed, "minutes": round((time.monotonic() - begin) / 60, 1)}
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if given.output:
        given.output.write_text(json.dumps(found, indent=1) + "\n")
    return int(bool(found["violations"]))


if __name__ == "__main__":
    sys.exit(main())
