"""The study through profiles/slurm on a real SLURM of one node. Minutes long, needs root: `make test-slurm`."""

import signal
import time
from collections import Counter

import pandas as pd
import pytest

from tests.slurm.conftest import PATIENCE, TRAINING, Study, job_seconds
from tests.workflow.conftest import SLIDING_WINDOW

pytestmark = pytest.mark.slurm

TABLE = "results/digits/sliding_window.csv"
SCORES = [f"results/digits/scores/{metric}.h5" for metric in ("el2n", "forget", "km")]
SWEEP = "results/digits/sweeps/sliding_window/el2n.csv"
JOBS = {"prepare_dataset": 1, "train_seed": 2, "train_swav": 1, "cluster": 1, "score": 3, "sweep": 6, "draw_sweeps": 1}

METRIC = '''"""{what}"""

import time
from pathlib import Path

import numpy as np

NEEDS = "dynamics"
FORMULA = "none"
RANGE = "0 to 1"


def score(dynamics):
    """Return how unsure the ensemble is: (N,) float64."""
    {first}
    return 1 - dynamics.mean_probabilities([-1]).max(axis=1)
'''
SLEEPS = 'tried = Path("tried")\n    if not tried.exists():\n        tried.touch()\n        time.sleep(600)'
HOLDS = "held = np.ones(1_300_000_000, np.uint8)\n    time.sleep(5)\n    assert held.all()"


@pytest.fixture(scope="module")
def submitted(cluster, local, tmp_path_factory):
    """The whole study through SLURM, the rules that train on its one GPU; `seconds` are those of the whole run."""
    study = Study(tmp_path_factory.mktemp("stüdy of $HOME and `who`"), cluster, gpus=True)
    begin = time.monotonic()
    study.finish(study.submit(SLIDING_WINDOW))
    study.seconds = time.monotonic() - begin
    return study


def test_the_whole_study_runs_as_jobs(submitted):
    jobs = submitted.jobs()
    assert Counter(submitted.rules()[number] for number in jobs) == JOBS
    assert {job.state for job in jobs.values()} == {"COMPLETED"}


@pytest.mark.parametrize("path", [TABLE, *SCORES])
def test_the_results_are_those_of_a_local_run(submitted, local, path):
    assert (submitted.folder / path).read_bytes() == (local.folder / path).read_bytes()


def test_what_a_job_costs_besides_its_work(submitted, local):
    jobs, work = submitted.jobs().values(), job_seconds(local)
    allocated = sum(job.end - job.begin for job in jobs)
    each = (allocated - work) / len(jobs)
    longer = (submitted.seconds - local.seconds) / len(jobs)
    print(f"\n{len(jobs)} jobs: {allocated:.0f} s allocated, {work:.0f} s as jobs of a local run: {each:.1f} s more each")
    print(f"whole run: {submitted.seconds:.0f} s, local {local.seconds:.0f} s: {longer:.1f} s more per job")
    assert each < 60


def test_jobs_on_the_gpu_take_turns_and_others_run_beside(submitted):
    jobs, rules = submitted.jobs(), submitted.rules()
    on_gpu = sorted((job for job in jobs.values() if job.gpus), key=lambda job: job.begin)
    assert Counter(rules[job.id] for job in on_gpu) == {rule: JOBS[rule] for rule in TRAINING}
    assert {job.gpus for job in on_gpu} == {"0"}
    assert [job.id for job, following in zip(on_gpu, on_gpu[1:], strict=False) if job.end > following.begin] == []
    others = [job for job in jobs.values() if not job.gpus]
    assert any(other.begin < job.end and job.begin < other.end for other in others for job in on_gpu)


def test_each_job_runs_in_the_partition_of_its_kind(submitted):
    jobs, rules = submitted.jobs(), submitted.rules()
    assert {rules[n]: job.partition for n, job in jobs.items()} == {rule: "gpu" if rule in TRAINING else "cpu" for rule in JOBS}


def test_a_finished_study_submits_nothing(submitted):
    done = submitted.snakemake("--profile", "profiles/slurm", SLIDING_WINDOW)
    assert "Nothing to be done" in done.stdout, done.stdout


@pytest.fixture(scope="module")
def limited(cluster, local, tmp_path_factory):
    """A study with a metric that takes too long and one that takes too much, submitted: (study, Snakemake's process).

    It mostly waits for SLURM's shortest time limit, a minute; the tests that follow run meanwhile.
    """
    study = Study.of(local, tmp_path_factory.mktemp("limited") / "study", cluster)
    for name, first in (("sleeps", SLEEPS), ("holds", HOLDS)):
        (study.folder / f"pipeline_lib/metrics/{name}.py").write_text(METRIC.format(what=name, first=first))
        study.configure(**{f"metrics.{name}": {}})
    study.configure(cluster={"shortest_minutes": 1, "base_memory": 1200})
    process = study.submit("results/digits/scores/sleeps.h5", "results/digits/scores/holds.h5")
    yield study, process
    process.kill()
    process.wait()


def test_a_job_that_waits_computes_what_was_submitted(cluster, local, limited, tmp_path):
    study = Study.of(local, tmp_path / "waiting", cluster)
    (study.folder / SCORES[0]).unlink()
    with cluster.closed("cpu"):
        process = study.submit(SCORES[0])
        _wait_until(lambda: cluster.waiting_or_running(study.folder))
        study.configure(**{"metrics.el2n": {"epoch": 1}})
    study.finish(process)
    assert (study.folder / SCORES[0]).read_bytes() == (local.folder / SCORES[0]).read_bytes()
    assert "score el2n" in study.plan(SCORES[0]), "and the edit is seen afterwards"


def test_an_interrupted_workflow_resumes_to_the_same_results(cluster, local, limited, tmp_path):
    study = Study.of(local, tmp_path / "interrupted", cluster)
    for path in (SCORES[0], SWEEP):
        (study.folder / path).unlink()
    for run in (study.folder / "results/digits/runs").rglob("*.json"):
        run.unlink()

    process = study.submit(SWEEP)
    cancelled = study.wait_for("score")
    cluster.cancel(cancelled)  # Snakemake submits it again
    study.wait_for("score")
    process.send_signal(signal.SIGTERM)  # waits for what runs and begins nothing new
    assert process.wait(PATIENCE) != 0

    process = study.submit(SWEEP)  # neither unlocked nor told anything
    stopped = study.wait_for("sweep")
    process.send_signal(signal.SIGINT)  # Ctrl-C takes the jobs along
    assert process.wait(PATIENCE) != 0
    _wait_until(lambda: stopped not in cluster.waiting_or_running())

    process = study.submit(SWEEP)
    orphan = study.wait_for("sweep")
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    assert orphan in cluster.waiting_or_running(), "SLURM knows nothing of Snakemake's death"
    assert study.snakemake("--unlock").returncode == 0
    study.finish(study.submit(SWEEP))
    _wait_until(lambda: orphan not in cluster.waiting_or_running())

    ended = {number: job.state for number, job in study.jobs().items()}
    assert (ended[cancelled], ended[stopped], ended[orphan]) == ("CANCELLED", "CANCELLED", "COMPLETED")
    again = Counter(ended.values())["COMPLETED"] == 3  # unless the orphan was done before it was missed
    assert Counter(ended.values()) == {"CANCELLED": 2, "COMPLETED": 2 + again}
    study.make(SLIDING_WINDOW)
    for path in (TABLE, *SCORES):
        assert (study.folder / path).read_bytes() == (local.folder / path).read_bytes()
    trained = [pd.read_csv(folder / SWEEP).filter(regex="point|seed|kept|accuracy") for folder in (study.folder, local.folder)]
    pd.testing.assert_frame_equal(*trained)


def test_a_job_killed_by_its_limits_is_retried_with_more(limited):
    study, process = limited
    study.finish(process)
    attempts = study.attempts("score")
    states = Counter(job.state for job in attempts)
    assert (states["TIMEOUT"], states["COMPLETED"], len(attempts)) == (1, 2, 4), attempts
    [too_long] = [job for job in attempts if job.state == "TIMEOUT"]
    [too_large] = [job for job in attempts if job.state not in ("TIMEOUT", "COMPLETED")]
    again = [job for job in attempts if job.state == "COMPLETED"]
    assert {too_long.minutes, too_large.minutes} == {1}
    assert {job.minutes for job in again} == {2}
    assert min(job.memory for job in again) > 1.9 * too_large.memory  # rounded up to whole megabytes
    [log] = (study.folder / ".snakemake/slurm_logs").rglob(f"{too_large.id}.log")
    assert "exceeded memory limit" in log.read_text()
    assert str(log) in study.said, "where to look is said"


def _wait_until(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)
