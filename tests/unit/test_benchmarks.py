"""The benchmark program runs, prints its table and writes what it says."""

import csv
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import busy_hook, workflow
from pipeline_lib.config import parse_study

ROOT = Path(__file__).parents[2]


def test_a_quick_run_writes_the_table_the_document_and_the_history(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rows", "scores", "training", "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Training loop / bare steps" in done.stdout
    assert "at most 5 s" in done.stdout
    document = (tmp_path / "docs/performance.md").read_text()
    assert "A trial with small sizes: its figures say nothing." in document
    with open(tmp_path / "benchmarks/history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"loop_small_cpu", "loop_digits_cpu"} <= {row["row"] for row in rows}
    assert all(float(row["median"]) > 0 for row in rows)


def test_the_trial_of_the_demo_is_a_valid_study(tmp_path):
    shutil.copy(ROOT / "config.yaml", tmp_path)
    workflow.shrink(tmp_path / "config.yaml")
    study = parse_study(yaml.safe_load((tmp_path / "config.yaml").read_text()))
    assert study.swept_metrics("digits", "sliding_window") == ["el2n"]


@pytest.mark.parametrize(
    ("module", "function"), [(module, function) for module, functions in busy_hook.WATCHED.items() for function in functions]
)
def test_what_the_hook_watches_is_there(module, function):
    assert callable(getattr(importlib.import_module(module), function))
