"""Killed at random moments and resumed, a study ends with the same bytes. Minutes long: `make test-slow`."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.workflow.conftest import CORRELATION, SLIDING_WINDOW, Project

KILLS = 6
TABLES = ("results/digits/sliding_window.csv", "results/digits/correlation_spearman.csv")


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_study_resumes_to_the_same_tables(finished, tmp_path, sent):
    rng = random.Random(int(sent))
    project = Project(tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "2", SLIDING_WINDOW, CORRELATION]
    for _ in range(KILLS):
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(timeout=rng.uniform(2, 12))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, sent)  # Snakemake and every job of it
            process.wait()
            time.sleep(0.5)
        assert project.snakemake("--unlock").returncode == 0
    project.make(SLIDING_WINDOW, CORRELATION)
    for table in TABLES:
        assert (tmp_path / table).read_bytes() == (finished.folder / table).read_bytes()
