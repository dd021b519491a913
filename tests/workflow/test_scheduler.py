"""Snakemake's scheduler looks for jobs when one has ended, and not ever more often while others wait."""

import re

import pytest

from tests.workflow.conftest import Project

TARGET = "results/digits/scores/el2n.h5"
LOOK = "Resources before job selection"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_the_scheduler_looks_once_for_every_job(project):
    project.configure(**{"ensemble.epochs": 150})  # some seconds, in which members of the ensemble wait
    said = project.make(TARGET, "--verbose", cores=1)
    jobs = int(re.search(r"^total +(\d+)$", said, re.MULTILINE)[1])
    assert jobs == 4
    assert said.count(LOOK) <= jobs


def test_a_limit_that_was_asked_for_is_kept(project):
    said = project.make(TARGET, "--max-jobs-per-timespan", "1/1s")
    assert "Job rate limit reached" in said
