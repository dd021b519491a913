"""A job that runs as a fork of the server must look, from outside and from inside, like one that does not."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline_lib import forkserver

ROOT = Path(__file__).parents[2]
THREADS = dict.fromkeys(forkserver.THREADS, "1")
PRELOADED = "colorsys"  # a library that nothing else imports
STARTER = """
import os, sys
from pipeline_lib import forkserver
forkserver.start(*sys.argv[1:])
print(os.environ[forkserver.ADDRESS], forkserver._started.pid, flush=True)
sys.stdin.read()
"""
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="forked jobs are for Linux")


class Server:
    """A process that has started a server, as Snakemake does."""

    def __init__(self, *libraries: str, path: str = str(ROOT)):
        self._path = path
        command, environment = [sys.executable, "-c", STARTER, *libraries], os.environ | {"PYTHONPATH": path}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.starter = subprocess.Popen(command, env=environment, text=True, **pipes)
        self.address, pid = self.starter.stdout.readline().split()
        self.pid = int(pid)

    def job(self, script: Path, *arguments: str, folder: Path = ROOT, **environment: str) -> subprocess.Popen:
        """Start a script that imports pipeline_lib."""
        variables = os.environ | THREADS | {"PYTHONPATH": self._path, forkserver.ADDRESS: self.address} | environment
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([sys.executable, str(script), *arguments], env=variables, cwd=folder, text=True, **pipes)

    def end(self) -> None:
        """End the process that has started the server."""
        self.starter.stdin.close()
        self.starter.wait()
        self.starter.stdout.close()


@pytest.fixture
def server():
    server = Server(PRELOADED)
    yield server
    server.end()


@pytest.fixture
def script(tmp_path):
    def write(body: str) -> Path:
        path = tmp_path / "job.py"
        path.write_text(f"import os, sys, time\nimport pipeline_lib\n{body}")
        return path

    return write


def wait_until(true, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


SAY_ALL = f"""
import json
said = dict(arguments=sys.argv, folder=os.getcwd(), name=__name__, file=__file__, heard=sys.stdin.read(), first=sys.path[0],
    greeting=os.environ.get("GREETING"), address=os.environ.get({forkserver.ADDRESS!r}), main=sys.modules["__main__"].__file__,
    preloaded={PRELOADED!r} in sys.modules, parent=os.getppid())
print(json.dumps(said))
print("a warning", file=sys.stderr)
"""


def test_a_job_sees_what_it_would_see_in_its_own_process(server, script, tmp_path):
    path = script(SAY_ALL)
    process = server.job(path, "--fast", "two words", folder=tmp_path, GREETING="grüß \udcff")
    out, err = process.communicate("from outside", timeout=60)
    said = json.loads(out)
    assert (process.returncode, err) == (0, "a warning\n")
    assert said["arguments"] == [str(path), "--fast", "two words"]
    assert (said["folder"], said["name"], said["file"], said["main"]) == (str(tmp_path), "__main__", str(path), str(path))
    assert (said["first"], said["heard"], said["greeting"]) == (str(tmp_path), "from outside", "grüß \udcff")
    assert said["address"] is None  # what the job starts is not handed over
    assert said["preloaded"]
    assert said["parent"] == server.pid


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('in words')", 1, "in words\n"),
        ("os.kill(os.getpid(), 9)", -signal.SIGKILL, ""),
        ("os.abort()", -signal.SIGABRT, ""),
    ],
)
def test_a_job_ends_as_its_fork_does(server, script, body, status, said):
    process = server.job(script(body))
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, said)


def test_an_error_is_told_with_the_frames_of_the_script_alone(server, script):
    path = script("def divide():\n    return 1 / 0\n\n\ndivide()\n")
    process = server.job(path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(f'Traceback (most recent call last):\n  File "{path}", line 7, in <module>')
    assert err.endswith("ZeroDivisionError: division by zero\n")
    assert "forkserver" not in err


def test_what_a_job_wants_done_at_its_end_is_done(server, script):
    process = server.job(script("import atexit\natexit.register(print, 'done')\nprint('work')"))
    assert process.communicate(timeout=60)[0] == "work\ndone\n"


def test_what_a_library_wants_done_at_the_end_is_not_done_by_a_job(script, tmp_path):
    (tmp_path / "greedy.py").write_text("import atexit\natexit.register(print, 'tidied up')\n")
    server = Server("greedy", path=f"{ROOT}:{tmp_path}")
    out, _ = server.job(script("print('greedy' in sys.modules)")).communicate(timeout=60)
    server.end()
    assert out == "True\n"


def test_a_library_that_cannot_be_imported_is_left_to_the_job_that_needs_it(script, tmp_path):
    (tmp_path / "broken.py").write_text("raise OSError('a file is missing')\n")
    server = Server("no_such_library", "broken", PRELOADED, path=f"{ROOT}:{tmp_path}")
    path = script(f"print({PRELOADED!r} in sys.modules)\nimport broken")
    assert wait_until(lambda: server.job(path).communicate(timeout=60)[0] == "True\n")
    _, err = server.job(path).communicate(timeout=60)
    server.end()
    assert err.endswith("OSError: a file is missing\n")


def test_a_fork_ends_with_the_job_that_waits_for_it(server, script, tmp_path):
    note = tmp_path / "pid"
    process = server.job(script(f"open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"))
    assert wait_until(lambda: note.exists() and note.read_text())
    worker = int(note.read_text())
    assert worker != process.pid
    process.kill()
    process.communicate()
    assert wait_until(lambda: not alive(worker))
    assert alive(server.pid)  # and others can still come


def test_a_job_whose_server_was_killed_says_so_and_leaves_no_fork(server, script, tmp_path):
    note = tmp_path / "pid"
    process = server.job(script(f"open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"))
    assert wait_until(lambda: note.exists() and note.read_text())
    os.kill(server.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "forked from has ended" in err
    assert wait_until(lambda: not alive(int(note.read_text())))


def test_jobs_at_work_are_finished_when_nobody_starts_more_and_nothing_is_left(server, script, tmp_path):
    note = tmp_path / "pid"
    process = server.job(script(f"open({str(note)!r}, 'w').write(str(os.getpid()))\nsys.stdin.read()\nprint('finished')"))
    assert wait_until(lambda: note.exists() and note.read_text())
    server.end()
    assert alive(server.pid)
    out, _ = process.communicate("", timeout=60)
    assert (process.returncode, out) == (0, "finished\n")
    assert wait_until(lambda: not alive(server.pid))


@pytest.mark.parametrize("why", ["no server", "other threads", "other flags"])
def test_a_job_that_no_fork_can_stand_for_runs_in_its_own_process(server, script, why):
    changed = {
        "no server": {forkserver.ADDRESS: "nowhere"},
        "other threads": {"OMP_NUM_THREADS": "2"},
        "other flags": {"PYTHONOPTIMIZE": "1"},
    }
    process = server.job(script(f"print(os.getpid(), {PRELOADED!r} in sys.modules)"), **changed[why])
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, f"{process.pid} False\n", "")


def test_many_jobs_at_once_each_get_their_own_answer(server, script):
    path = script("time.sleep(0.05 * (int(sys.argv[1]) % 3))\nprint(sys.argv[1])\nsys.exit(int(sys.argv[1]))")
    jobs = [server.job(path, str(number)) for number in range(12)]
    answers = [(job.communicate(timeout=60)[0], job.returncode) for job in jobs]
    assert answers == [(f"{number}\n", number) for number in range(12)]


def test_where_the_system_lacks_what_it_takes_no_server_is_started(monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.delenv(forkserver.ADDRESS, raising=False)
    forkserver.start("colorsys")
    assert forkserver.ADDRESS not in os.environ
    assert forkserver._started is None


def test_nothing_is_handed_to_or_taken_from_another_user(monkeypatch):
    one, other = socket.socketpair()
    with one, other:
        assert forkserver._own(one)
        monkeypatch.setattr(os, "getuid", lambda: 12345)
        assert not forkserver._own(other)
