"""A SLURM for the session, the tiny study made without it, and copies of the project that submit to it."""

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.slurm import cluster as slurm
from tests.workflow.conftest import SLIDING_WINDOW, Project

PATIENCE = 600  # seconds for a workflow, and for a job of it to begin, on a busy machine too
TRAINING = ("train_seed", "train_swav", "cluster", "sweep")  # the rules that ask for a GPU where there is one
# what differs between a site and this machine: nobody waits for a network file system, and jobs last a quarter of a minute
HERE = ("--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10", "--slurm-keep-successful-logs")


class Study(Project):
    """A working copy of the pipeline that submits through profiles/slurm.

    Attributes:
        folder: of the copy.
        cluster: where its jobs go.
    """

    def __init__(self, folder: Path, cluster: slurm.Cluster, gpus: bool = False):
        super().__init__(folder)
        self._attach(cluster, gpus)

    @classmethod
    def of(cls, finished: Project, folder: Path, cluster: slurm.Cluster) -> "Study":
        """Return a copy of a study with all that it has computed."""
        shutil.copytree(finished.folder, folder, symlinks=True)
        study = cls.__new__(cls)
        study.folder = folder
        study._attach(cluster, gpus=False)
        return study

    def _attach(self, cluster: slurm.Cluster, gpus: bool) -> None:
        self.cluster = cluster
        profile = "profiles/slurm/config.v8+.yaml"
        self.edit(profile, '&cpu ""', "&cpu cpu")  # what docs/cluster.md tells a site to do
        self.edit(profile, '&gpu ""', "&gpu gpu")
        if gpus:
            for rule in TRAINING:  # instead of `device: cuda`, which the jobs would believe
                self.edit(profile, f"  {rule}:\n", f"  {rule}:\n    gpu: 1\n")

    def submit(self, *targets: str) -> subprocess.Popen:
        """Start Snakemake; what it says is in `said`."""
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *HERE, *targets]
        with (self.folder / "said.txt").open("w") as said:
            return subprocess.Popen(command, cwd=self.folder, stdout=said, stderr=subprocess.STDOUT, preexec_fn=_interruptible)

    def finish(self, process: subprocess.Popen) -> None:
        """Wait for Snakemake; fail with what it said if it fails."""
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
        assert status == 0, self.said

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    def wait_for(self, rule: str) -> int:
        """Wait until a new job of a rule runs and has its log, by which `jobs` knows it, and return its number."""
        deadline, known = time.monotonic() + PATIENCE, set(self.jobs())
        while time.monotonic() < deadline:
            logged = self.rules()
            for number, comment in self.cluster.running(self.folder).items():
                if comment.startswith(f"rule_{rule}") and number in logged and number not in known:
                    return number
            time.sleep(0.2)
        raise AssertionError(f"no job of {rule} within {PATIENCE} s\n{self.said}")

    def rules(self) -> dict[int, str]:
        """Return SLURM's job numbers and the rules that they ran, by the log files that the jobs wrote."""
        logs = (self.folder / ".snakemake/slurm_logs").glob("rule_*/**/*.log")
        return {int(path.stem): path.relative_to(self.folder).parts[2].removeprefix("rule_") for path in logs}

    def jobs(self) -> dict[int, slurm.Finished]:
        """Return what SLURM's own record says of this study's jobs."""
        own = self.rules()
        return {job.id: job for job in self.cluster.finished() if job.id in own}

    def attempts(self, rule: str) -> list[slurm.Finished]:
        """Return the finished jobs of a rule in the order of their submission."""
        rules = self.rules()
        return [job for number, job in sorted(self.jobs().items()) if rules[number] == rule]


def _interruptible() -> None:
    """Ctrl-C counts even where the tests run in the background of a shell, which ignores it for all that it starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cluster():
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("snakemake-executor-plugin-slurm is not installed: `make slurm`")

    def ended(*_):
        raise KeyboardInterrupt  # so that the daemons are stopped as after Ctrl-C

    before = signal.signal(signal.SIGTERM, ended)
    try:
        with slurm.running() as running:
            yield running
        assert not running.state.exists()
        assert not [path for path in slurm.CONFIGURATION.iterdir() if path.name in slurm.NAMES]
    except slurm.Unavailable as reason:
        pytest.skip(str(reason))
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def local(cluster, tmp_path_factory):
    """The tiny study, made on this machine without SLURM; `seconds` are those of the whole run."""
    project = Project(tmp_path_factory.mktemp("local"))
    begin = time.monotonic()
    project.make(SLIDING_WINDOW)
    project.seconds = time.monotonic() - begin
    return project


def job_seconds(project: Project) -> float:
    """Return the seconds of all jobs of a local run together, by Snakemake's metadata."""
    kept = [json.loads(path.read_text()) for path in (project.folder / ".snakemake/metadata").iterdir()]
    # a job with two outputs has two records
    return sum({record["starttime"]: record["endtime"] - record["starttime"] for record in kept}.values())
