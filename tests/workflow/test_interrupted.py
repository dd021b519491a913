"""Killed at random moments and resumed, a study loses nothing, trains nothing twice and ends with the same bytes.

A few trials; `make test-kill` runs hundreds.
"""

import os
import subprocess
import sys
import time

import pandas as pd
import pytest

from tests.workflow import killing
from tests.workflow.conftest import SLIDING_WINDOW

TABLE = "results/digits/sliding_window.csv"


@pytest.mark.long
def test_a_study_that_is_killed_again_and_again(tmp_path):
    found = killing.run(trials=3, seed=4, work=tmp_path)
    assert found["violations"] == []
    assert found["studies"] >= 1
    assert sum(found["by stage and victim"].values()) == 3


def test_the_kill_test_notices_what_it_is_for(tmp_path):
    """Its checks can fail: a damaged file, a training that is done again, a table that differs."""
    study = killing.Study(tmp_path)
    study.ledger.write_text("1 7 begin a\n2 7 kept a\n3 7 begin b\n4 8 begin a\n")
    assert study.kept() == {"a"}
    (tmp_path / "results/digits/scores").mkdir(parents=True)
    (tmp_path / "results/digits/scores/el2n.h5").write_bytes(b"half")
    assert [fault.split(":")[0] for fault in killing.faults(study)] == ["results/digits/scores/el2n.h5", "trained again"]
    assert study.finished() == {"scores/el2n.h5": b"half"}


def _lines(study):
    return [line.split()[1:4] for line in study.ledger.read_text().splitlines()]


@pytest.mark.long
def test_two_snakemakes_at_once_lose_nothing(finished, tmp_path):
    """Both make the same study in the same folder, without Snakemake's lock; each may find what the other has done."""
    study = killing.Study(tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", SLIDING_WINDOW]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["KILL_TEST_LEDGER"] = str(study.ledger)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    both = [subprocess.Popen(command, cwd=tmp_path, env=environment, **quiet)]
    time.sleep(4)
    both.append(subprocess.Popen(command, cwd=tmp_path, env=environment, **quiet))
    for process in both:
        process.wait(240)
    assert len({process for process, _, _ in _lines(study)}) > 2, "jobs of both, or of one, have trained"
    study.project.make(SLIDING_WINDOW)  # what one took away from under the other is made again
    made, expected = (pd.read_csv(folder / TABLE) for folder in (tmp_path, finished.folder))
    expected = expected[expected["metric"].isin(made["metric"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(made, expected, check_exact=True)
    assert set(made["metric"]) == {"el2n", "km", "random", "repeated_random", "full"}
    # whoever planned a training before the other had finished it may do it again; nothing may be damaged or unexpected
    assert [fault for fault in killing.faults(study) if not fault.startswith("trained again")] == []
