"""On this machine a job's script runs as a fork of the server that Snakemake has started, and as itself where it must."""

import re
import shutil

import pandas as pd
import pytest

from pipeline_lib import forkserver
from pipeline_lib.prune.sweep import TIMES
from tests.workflow.conftest import Project

HOOK = """
import atexit, os, sys
note = lambda *words: print(*words, file=open(os.environ["FORK_TEST_NOTES"], "a"))
os.register_at_fork(after_in_child=lambda: note(os.getppid(), 'torch' in sys.modules))
if ".snakemake/scripts" in sys.argv[0]:
    me = os.getpid()
    atexit.register(lambda: os.getpid() == me and note("own", 'snakemake' in sys.modules))
"""
pytestmark = pytest.mark.skipif(not forkserver.possible(), reason="this system cannot fork jobs")
ALONE = "results/digits/sweeps/sliding_window/random.csv"
TARGET = "results/digits/scores/el2n.h5"


@pytest.fixture
def fresh(tmp_path):
    project = Project(tmp_path)
    (project.folder / "sitecustomize.py").write_text(HOOK)
    return project


def forks(project, *arguments: str, own: bool) -> list[tuple[str, bool]]:
    """Return the server's number and whether it had PyTorch, for every fork; own: whether jobs' own processes import Snakemake."""
    notes = project.folder / "notes.txt"
    notes.touch()
    done = project.snakemake("--cores", "2", *arguments, FORK_TEST_NOTES=str(notes))
    assert done.returncode == 0, done.stdout
    assert {*re.findall(r"own (\w+)", notes.read_text())} == {str(own)}
    return [(parent, said == "True") for parent, said in re.findall(r"(\d+) (\w+)", notes.read_text())]


def test_every_script_is_a_fork_of_one_server(fresh):
    found = forks(fresh, TARGET, own=False)
    assert len(found) == 4  # the data set, two members of the ensemble, the score
    assert len({parent for parent, _ in found}) == 1
    assert sum(imported for _, imported in found) >= 3  # all but the data set, which may begin before PyTorch is there


def test_for_a_single_job_nothing_is_imported_that_it_does_not_need(fresh):
    assert forks(fresh, "data/digits/dataset.h5", own=True) == []


def test_without_hooks_every_job_is_a_process_of_its_own(fresh):
    assert forks(fresh, "--no-hooks", TARGET, own=True) == []


def sweep_alone(project, *arguments: str) -> tuple[str, pd.DataFrame]:
    """Make one sweep from nothing; return its log and its table, but for what the clock said."""
    shutil.rmtree(project.folder / "results", ignore_errors=True)
    done = project.snakemake(ALONE, *arguments)
    assert done.returncode == 0, done.stdout
    log = (project.folder / "results/digits/logs/sweep/sliding_window/random.log").read_text()
    return log, pd.read_csv(project.folder / ALONE).drop(columns=[*TIMES])


def test_a_sweep_that_is_alone_on_two_cores_is_helped_and_nothing_else_is_changed_by_that(fresh):
    fresh.configure(**{"recipes.training.epochs": 50, "experiments.sliding_window.seeds": 8})
    fresh.make("data/digits/dataset.h5")
    log, table = sweep_alone(fresh, "--cores", "2")
    helped, own = log.count("INFO a helper trained on"), log.count("INFO trained on")
    assert helped >= 2
    assert helped + own == len(table) == 8
    assert log.splitlines()[-2].endswith(f"8 runs, {own} of them trained now by this process, the others from the run store")
    assert " INFO done: " in log.splitlines()[-1]
    log, alone = sweep_alone(fresh, "--cores", "2", "--resources", "mem_mb=8000")  # who knows what a helper needs?
    assert "helper" not in log
    pd.testing.assert_frame_equal(alone, table)
