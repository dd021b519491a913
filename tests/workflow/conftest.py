"""A copy of the project in a folder of its own, and what Snakemake plans there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "profiles", "envs", "pipeline_lib")
SLIDING_WINDOW = "results/digits/sliding_window.png"
CORRELATION = "results/digits/correlation_spearman.png"

MESSAGES = {  # what Snakemake prints of a job -> the job's short name here; the first that fits counts
    r"(.* digits_noisy.*)": r"\1",
    r"Prepare the data set digits": "prepare_dataset",
    r"Train seed (\d+) of the ensemble on digits and .*": r"train_seed \1",
    r"Train SwAV on digits, .*": "train_swav",
    r"Cluster the (\w+) features of digits .* k = (\w+)": r"cluster \1 \2",
    r"Score digits by (\w+)": r"score \1",
    r"Train the branching networks of pair (\d+) on digits and .*": r"train_connectivity \1",
    r"Train seed (\d+) of the tangent kernels on digits and .*": r"train_kernels \1",
    r"Train for sliding_window of digits by (\w+) .*": r"sweep \1",
    r"Train for (?!sliding_window)(\w+) of digits by (\w+) .*": r"sweep \1 \2",
    r"Draw the labels of digits .*": "draw_suspicious",
    r"Draw (\w+) of digits": r"draw_\1",
    r"Attack the networks that prune_easiest of digits trains by (\w+)": r"attack \1",
    r"Draw test images of digits before .*": "draw_attacked",
    r"Correlate the metrics .*\((\w+)\)": r"draw_correlation \1",
    r"Score halves of .*": "draw_reliability",
    r"Rank the examples .*": "rank_examples",
    r"List the examples .*": "list_subset",
    r"Average what .*": "believe",
    r"Add up what .*": "draw_cost",
    r"Say how fast .*": "sum_speed",
    r"Compute the areas .*": "draw_area",
    r"Measure how well .*": "draw_noise_detection",
    r"Judge the claims .*": "judge_claims",
    r"Draw which classes .*": "draw_confusion",
    r"Draw what pruning leaves of the classes .*": "draw_pruning_imbalanced",
    r"Draw (prune_hardest) beside .*": r"draw_\1",
    r"Draw (\w+) of digits from epoch .*": r"draw_\1",
    r"Draw the sliding window of digits beside .*": "draw_label_noise",
    r"Draw the (.+) of digits": r"draw_\1",
    r"Draw the examples of digits by (\w+)": r"draw_examples \1",
    r"Train run (\d) with threshold examples on digits and .*": r"train_threshold \1",
    r"Cut off the labels of digits .*": "judge_threshold",
    r"Draw the margins of digits .*": "draw_margins",
    r"Measure what the flags of digits .*": "draw_noise_cutoff",
    r"((?:Prepare|Train seed).* digits_wide.*)": r"\1",
    r"Write the report of .*": "report",
}


class Project:
    """A working copy of the pipeline with the tiny config."""

    def __init__(self, folder: Path):
        self.folder = folder
        for part in PARTS:
            source = ROOT / part
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / part, ignore=ignore) if source.is_dir() else shutil.copy(source, folder / part)
        shutil.copy(Path(__file__).parent / "tiny.yaml", folder / "config.yaml")

    def copied(self, folder: Path) -> "Project":
        """Return a copy of this one, with its results, in a folder that is not there yet."""
        shutil.copytree(self.folder, folder, symlinks=True)
        copy = Project.__new__(Project)
        copy.folder = folder
        return copy

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
        """Run Snakemake here; standard error is merged into the output."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [sys.executable, "-m", "snakemake", *arguments]
        return subprocess.run(
            command,
            cwd=self.folder,
            env=inherited | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )

    def make(self, *targets: str, cores: int = 2) -> str:
        """Build targets; fail with Snakemake's output if it fails."""
        done = self.snakemake("--cores", str(cores), *targets)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def plan(self, *targets: str) -> set[str]:
        """Return what a dry run would do: {"score el2n", "draw_sliding_window", ...}."""
        done = self.snakemake("-n", *targets)
        assert done.returncode == 0, done.stdout
        jobs = set()
        for message in re.findall(r"^Job \d+: (.*)$", done.stdout, flags=re.MULTILINE):
            pattern, job = next((pattern, job) for pattern, job in MESSAGES.items() if re.fullmatch(pattern, message))
            jobs.add(re.fullmatch(pattern, message).expand(job))
        return jobs

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that must be there, once."""
        file = self.folder / path
        text = file.read_text()
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        file.write_text(text.replace(old, new))

    def configure(self, **changes) -> None:
        """Change config values: configure(**{"ensemble.seeds": 3})."""
        path = self.folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            *sections, last = key.split(".")
            section = config
            for name in sections:
                section = section[name]
            section[last] = value
        path.write_text(yaml.safe_dump(config, sort_keys=False))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The tiny study, made once."""
    project = Project(tmp_path_factory.mktemp("study with blänks"))
    project.make(SLIDING_WINDOW, CORRELATION)
    return project


@pytest.fixture
def project(finished):
    """The finished tiny study; edits of code and config are undone after the test."""
    kept = {path: path.read_bytes() for part in (*PARTS, "config.yaml") for path in _files(finished.folder / part)}
    yield finished
    for part in (*PARTS, "config.yaml"):
        for path in _files(finished.folder / part):
            if path not in kept:
                path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished tiny study that a test may change for good."""
    return finished.copied(tmp_path / "copy")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
