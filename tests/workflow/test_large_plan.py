"""Plans of thousands of jobs: made in seconds (`make test-slow`; `-s` prints how long it took), and of every data set."""

import re
import resource
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline_lib.config.experiments import BEYOND
from tests.workflow.conftest import ROOT, Project

JOBS = 3000
SECONDS = 10  # where `snakemake --version` takes one second


@pytest.mark.slow
def test_a_plan_of_3000_jobs_is_made_in_ten_seconds(tmp_path):
    project = Project(tmp_path)
    project.snakemake("--version")  # everything is compiled and in memory
    start, _ = measured(project, "--version")
    targets = many_data_sets(project.folder / "config.yaml")
    seconds, rules = measured(project, "--rulegraph", "dot", "--", *targets)  # builds the plan and prints nothing of its jobs
    printing, said = measured(project, "-n", "--quiet", "rules", "--", *targets)
    jobs = int(re.search(r"^total +(\d+)", said, flags=re.MULTILINE)[1])
    print(f"\na plan of {jobs} jobs: {seconds:.1f} s, {printing:.1f} s as a dry run that prints every job;", end=" ")
    print(f"`snakemake --version` takes {start:.1f} s")
    assert jobs >= JOBS
    assert "train_seed" in rules
    assert seconds < SECONDS * max(1, start)  # on a slow or busy machine both take longer


@pytest.mark.long
def test_the_report_of_every_configured_data_set_can_be_planned(tmp_path):
    """Sizes, names and sections of config.yaml go together; images that users bring themselves are left out."""
    study = yaml.safe_load((ROOT / "config.yaml").read_text())
    names = [name for name, section in study["datasets"].items() if "obtain" not in section and section.get("base") != "vegetables"]
    project = Project(tmp_path)
    shutil.copy(ROOT / "config.yaml", project.folder)
    done = project.snakemake("-n", "--quiet", "rules", "--", *(f"results/{name}/report.html" for name in names))
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"^report +(\d+)", done.stdout, flags=re.MULTILINE)[1]) == len(names)


def many_data_sets(path: Path) -> list[str]:
    """Write a study of so many derived data sets that their reports take 3,000 jobs; return the reports."""
    study = yaml.safe_load((ROOT / "config.yaml").read_text())
    digits = study["datasets"]["digits"]
    # what the thesis did, as it was when the goal was set
    experiments = {name: section for name, section in digits.pop("experiments").items() if name not in (*BEYOND, "label_noise")}
    digits["recipes"].pop("threshold")
    names = [f"digits_{number}" for number in range(22)]
    study["datasets"] = {"digits": digits} | {
        name: {**digits, "source": None, "base": "digits", "per_class": 100 + number, "experiments": experiments}
        for number, name in enumerate(names)
    }
    for name in names:
        del study["datasets"][name]["source"]
    path.write_text(yaml.safe_dump(study))
    return [f"results/{name}/report.html" for name in names]


def measured(project: Project, *arguments: str) -> tuple[float, str]:
    """Run Snakemake; return its processor seconds (waiting for other work does not count) and what it said."""
    before = _processor_seconds()
    done = project.snakemake(*arguments)
    assert done.returncode == 0, done.stdout[-3000:]
    return _processor_seconds() - before, done.stdout


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
