"""What a job tells the person who ran it: errors in words, and inputs that are not what the workflow expects."""

import logging
import signal
import subprocess
import sys

import pytest
import torch

from pipeline_lib import job as jobs
from pipeline_lib import storage
from pipeline_lib.errors import PipelineError


def failing(log, error):
    with jobs.job(log):
        raise error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (PipelineError("config.yaml: wrong"), "config.yaml: wrong"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.\nmore"), "the GPU's memory is full (CUDA out of"),
        (torch.OutOfMemoryError("CUDA out of memory."), "Lower `batch` in the recipe (or the swav section)"),
        (MemoryError(), "the main memory is full (no details). Run fewer jobs at once (`--cores`)"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "the main memory is full ("),
        (
            RuntimeError("CUDA error: device-side assert triggered"),
            "the GPU failed (CUDA error: device-side assert triggered). Every",
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "the GPU failed (cuDNN error"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "the GPU's memory is full (CUDA error: CUBLAS"),
        (RuntimeError("No CUDA GPUs are available"), "the GPU failed (No CUDA GPUs"),
        (torch.AcceleratorError("CUDA error: GPU has fallen off the bus"), "finished training is kept: run the same command again"),
    ],
)
def test_what_a_person_can_act_on_is_said_in_words(tmp_path, capsys, error, says):
    with pytest.raises(SystemExit) as left:
        failing(tmp_path / "log", error)
    assert left.value.code == 1
    assert says in capsys.readouterr().err
    assert says in (tmp_path / "log").read_text()


def test_a_defect_keeps_its_traceback(tmp_path, capsys):
    with pytest.raises(ZeroDivisionError):
        failing(tmp_path / "log", ZeroDivisionError("division by zero"))
    assert "unexpected error" in (tmp_path / "log").read_text()
    assert "Traceback" in (tmp_path / "log").read_text()
    assert capsys.readouterr().err == ""


def test_an_interruption_ends_the_process_as_before_but_without_a_traceback(tmp_path):
    script = "import sys\nfrom pipeline_lib.job import job\nwith job(sys.argv[1]):\n    raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "log"], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""
    assert (tmp_path / "log").read_text().endswith("WARNING interrupted\n")


def test_a_real_lack_of_memory_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert "the main memory is full" in jobs.in_words(caught.value)


def test_a_log_that_cannot_be_written_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        failing(tmp_path / "no folder/log", ValueError())
    assert "no folder/log: cannot be written (No such file or directory). Check who owns the folder" in capsys.readouterr().err


def test_the_log_is_closed_and_ends_with_done(tmp_path):
    with jobs.job(tmp_path / "log") as log:
        log.info("half way")
    assert (tmp_path / "log").read_text().splitlines()[-1].endswith("INFO done")
    assert not logging.getLogger("pipeline").handlers


def test_an_input_of_other_settings_is_refused_before_the_job_begins(tmp_path, capsys):
    storage.write_h5(tmp_path / "x.h5", {}, {"origin": "of old settings"})
    begun = []

    def run(origin):
        with jobs.job(tmp_path / "log", {str(tmp_path / "x.h5"): origin}):
            begun.append(origin)

    run("of old settings")
    with pytest.raises(SystemExit):
        run("of new settings")
    assert begun == ["of old settings"]
    assert "x.h5: was made by other settings" in capsys.readouterr().err
