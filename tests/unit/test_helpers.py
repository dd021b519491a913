"""Where cores have nothing to do, a job that wants it is helped by further forks of its script, which are in nobody's way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_lib import forkserver, job
from pipeline_lib.forkserver.server import FIRST_TO_GO, LAST_WORDS, PAUSE, POLITE
from tests.forks import ROOT, alive, wait_until

pytestmark = pytest.mark.skipif(not forkserver.possible(), reason="this system cannot fork jobs")
# every process notes its number under its kind; a job works until its standard input ends, a helper for as long as it is let
WORK = """
from pathlib import Path
from pipeline_lib import forkserver
notes = Path(sys.argv[1])
if forkserver.helping():
    begun = notes / f"helper-{os.getpid()}"
    try:
        begun.touch()
        time.sleep(float(sys.argv[2]))
    finally:
        (notes / f"tidied-{os.getpid()}").touch()
else:
    with forkserver.helped():
        (notes / f"job-{os.getpid()}").touch()
        sys.stdin.readline()
    (notes / f"after-{os.getpid()}").touch()
    sys.stdin.read()
"""
LONG, SHORT = "60", "0"


@pytest.fixture
def study(serve, script, tmp_path):
    class Study:
        """Jobs that want help, on a server with so many cores."""

        def __init__(self, cores: int):
            self.server, self.script = serve(places=cores), script(WORK)

        def begin(self, number: int = 0, helper_works: str = LONG) -> subprocess.Popen:
            notes = tmp_path / str(number)
            notes.mkdir()
            process = self.server.job(self.script, str(notes), helper_works)
            assert wait_until(lambda: self.of("job", number))
            return process

        def of(self, kind: str, number: int = 0) -> list[int]:
            return [int(note.name.split("-")[1]) for note in (tmp_path / str(number)).glob(f"{kind}-*")]

        def at_work(self, number: int = 0) -> list[int]:
            return [helper for helper in self.of("helper", number) if alive(helper)]

    return Study


def settled(state) -> bool:
    """Whether something stays as it is for longer than a core has to be idle."""
    return not wait_until(lambda: not state(), seconds=2 * PAUSE)


def end(process: subprocess.Popen) -> None:
    out, err = process.communicate("\n", timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(("cores", "helpers"), [(0, 0), (1, 0), (2, 1), (4, 3)])
def test_there_are_never_more_processes_than_cores(study, cores, helpers):
    study = study(cores)
    process = study.begin()
    assert wait_until(lambda: len(study.at_work()) == helpers)
    assert settled(lambda: len(study.of("helper")) == helpers)
    end(process)
    assert wait_until(lambda: not study.at_work())


def test_helpers_end_with_the_work_and_not_only_with_the_job(study):
    study = study(2)
    process = study.begin()
    assert wait_until(study.at_work)
    process.stdin.write("\n")
    process.stdin.flush()
    assert wait_until(lambda: study.of("after"))
    assert wait_until(lambda: not study.at_work())
    assert study.of("tidied") == study.of("helper")
    assert settled(lambda: len(study.of("helper")) == 1)
    assert process.poll() is None
    end(process)


def test_a_helper_gives_way_to_a_job_and_comes_back_when_that_has_ended(study):
    study = study(2)
    first = study.begin()
    assert wait_until(study.at_work)
    [helper] = study.of("helper")
    second = study.begin(1)
    assert wait_until(lambda: not alive(helper))
    assert study.of("tidied") == [helper]
    assert settled(lambda: not study.at_work(0) and not study.at_work(1))
    end(second)
    assert wait_until(lambda: study.at_work(0))
    assert study.of("helper", 1) == []
    end(first)


def test_all_idle_cores_help_at_once(study):
    study = study(8)
    time.sleep(2 * PAUSE)  # since the server began
    process, begin = study.begin(), time.monotonic()
    assert wait_until(lambda: len(study.at_work()) == 7)
    assert time.monotonic() - begin < 2 * PAUSE
    end(process)


def test_a_core_that_short_jobs_leave_alone_is_idle(study, script):
    study = study(3)
    process, short = study.begin(), script("time.sleep(0.1)", "short.py")
    study.server.answers(short)  # from now on one place is in use again and again
    begin = time.monotonic()
    while time.monotonic() - begin < 4 * PAUSE:
        assert study.server.answers(short)[0] == 0
    assert len(study.at_work()) == 1
    end(process)


def test_what_becomes_free_goes_to_who_has_least(study):
    study = study(3)
    jobs = [study.begin(number) for number in range(3)]
    assert wait_until(lambda: not study.at_work(0))
    end(jobs[1])
    assert wait_until(lambda: len(study.at_work(0)) + len(study.at_work(2)) == 1)
    end(jobs[0])
    assert wait_until(lambda: len(study.at_work(2)) == 2)
    end(jobs[2])


def test_who_finds_nothing_to_do_is_not_called_again(study):
    study = study(2)
    process = study.begin(helper_works=SHORT)
    assert wait_until(lambda: study.of("tidied"))
    assert settled(lambda: len(study.of("helper")) == 1)
    end(process)


@pytest.mark.parametrize("who", ["the job's process", "the job's fork", "the server"])
def test_no_helper_outlives_what_it_is_there_for(study, who):
    study = study(2)
    process = study.begin()
    assert wait_until(study.at_work)
    [worker] = study.of("job")
    os.kill({"the job's process": process.pid, "the job's fork": worker, "the server": study.server.pid}[who], signal.SIGKILL)
    process.communicate(timeout=60)
    assert wait_until(lambda: not study.at_work())


def test_who_starts_no_more_jobs_lends_no_more_cores(study):
    study = study(2)
    process = study.begin()
    assert wait_until(study.at_work)
    study.server.end()
    assert wait_until(lambda: not study.at_work())
    assert settled(lambda: len(study.of("helper")) == 1)
    end(process)


def test_an_interruption_is_for_the_job_alone(study):
    """Ctrl-C reaches the server's children too: the helper says nothing, and ends with the job."""
    study = study(2)
    process = study.begin()
    assert wait_until(study.at_work)
    [helper], [worker] = study.of("helper"), study.of("job")
    os.kill(helper, signal.SIGINT)
    assert settled(lambda: alive(helper))
    os.kill(worker, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err.count("KeyboardInterrupt") == 1
    assert wait_until(lambda: not alive(helper))


def test_a_helper_has_no_files_but_the_null_device(study):
    study = study(3)
    process = study.begin()
    assert wait_until(lambda: len(study.at_work()) == 2)
    for helper in study.at_work():
        assert [os.readlink(file) for file in sorted(Path(f"/proc/{helper}/fd").iterdir())] == [os.devnull] * 3
    [worker] = study.of("job")
    assert len(os.listdir(f"/proc/{worker}/fd")) == 4  # and its connection
    end(process)


def test_a_helper_is_the_first_to_go_where_anything_is_short(study):
    study = study(2)
    process = study.begin()
    assert wait_until(study.at_work)
    [helper], [worker] = study.of("helper"), study.of("job")
    assert os.getpriority(os.PRIO_PROCESS, helper) == os.getpriority(os.PRIO_PROCESS, worker) + POLITE
    assert wait_until(lambda: Path(f"/proc/{helper}/oom_score_adj").read_text().strip() == FIRST_TO_GO)
    assert Path(f"/proc/{worker}/oom_score_adj").read_text().strip() != FIRST_TO_GO
    end(process)


DEAF = """
from pipeline_lib import forkserver
if forkserver.helping():
    class Deaf:
        def __del__(self):
            Path(sys.argv[1], f"helper-{os.getpid()}").touch()
            time.sleep(60)  # no exception leaves this method
    from pathlib import Path
    deaf = Deaf()
    del deaf
    time.sleep(60)
with forkserver.helped():
    sys.stdin.readline()
"""


def test_a_helper_that_does_not_hear_is_ended_all_the_same(serve, script, tmp_path):
    server = serve(places=2)
    process = server.job(script(DEAF), str(tmp_path))
    assert wait_until(lambda: list(tmp_path.glob("helper-*")))
    helper = int(next(tmp_path.glob("helper-*")).name.split("-")[1])
    end(process)
    assert wait_until(lambda: not alive(helper), seconds=LAST_WORDS + 5)


def test_a_job_in_its_own_process_helps_itself():
    said = "from pipeline_lib import forkserver as f\nwith f.helped(): print(f.helping())"
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_helper_adds_to_the_log_of_its_job_and_leaves_the_last_word_to_it(tmp_path, monkeypatch, capsys):
    path = tmp_path / "log"
    with job.job(path) as log:
        log.info("begins")
        monkeypatch.setattr(forkserver, "helping", lambda: True)
        with job.job(path) as helper:
            helper.info("does a part")
        with pytest.raises(SystemExit) as left, job.job(path):
            raise ZeroDivisionError("cannot be done")
        monkeypatch.undo()
    assert left.value.code == 1
    lines = [line.split(" ", 2)[-1] for line in path.read_text().splitlines()]
    assert lines[0] == "INFO begins"
    assert "INFO a helper does a part" in lines
    assert "WARNING a helper ended: ZeroDivisionError('cannot be done')" in lines
    assert "Traceback (most recent call last):" in path.read_text()
    assert lines[-1] == "INFO done"
    assert "INFO a helper done" not in lines
    assert capsys.readouterr().err == ""
