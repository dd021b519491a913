"""Snakemake's scheduler looks for jobs when one has ended, and not ever more often while others wait."""

import re

import pytest

from tests.workflow.conftest import Project

TARGET = "results/digits/scores/el2n.h5"
JOBS = 4


def looks(folder, *arguments: str) -> int:
    """Return how often the scheduler looks for jobs in some seconds in which members of the ensemble wait."""
    project = Project(folder)
    project.configure(**{"ensemble.epochs": 150})
    said = project.make(TARGET, "--verbose", *arguments, cores=1)
    assert re.search(r"^total +(\d+)$", said, re.MULTILINE)[1] == str(JOBS)
    return said.count("Resources before job selection")


def test_the_scheduler_looks_once_for_every_job(tmp_path):
    assert looks(tmp_path) <= JOBS


@pytest.mark.long
def test_a_limit_that_was_asked_for_is_kept(tmp_path):
    assert looks(tmp_path, "--max-jobs-per-timespan", "101/1s") > JOBS
