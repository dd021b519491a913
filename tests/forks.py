"""A process that has started a server for forks, as Snakemake does, and the jobs that ask it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pipeline_lib import forkserver

ROOT = Path(__file__).parents[1]
THREADS = dict.fromkeys(forkserver.THREADS, "1")
PRELOADED = "colorsys"  # a library that nothing else imports
STARTER = """
import os, sys
from pipeline_lib import forkserver
places, *libraries = sys.argv[1:]
forkserver.start(*libraries, places=int(places))
print(os.environ[forkserver.ADDRESS], forkserver._started.pid, flush=True)
sys.stdin.read()
"""
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


class Server:
    """A process that has started a server, as Snakemake does."""

    def __init__(self, *libraries: str, path: str = str(ROOT), folder: Path = ROOT, places: int = 0, **environment: str):
        self._path = os.pathsep.join([forkserver.EARLY, path])
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{STARTER}", str(places), *libraries]
        self.starter = subprocess.Popen(command, env=PLAIN | {"PYTHONPATH": self._path} | environment, cwd=folder, **PIPES)
        self.address, pid = self.starter.stdout.readline().split()
        self.pid = int(pid)

    def job(self, script: Path, *arguments: str, folder: Path = ROOT, group: int | None = None, **environment: str):
        """Start a script; in a process group of its own if it is 0."""
        variables = PLAIN | THREADS | {"PYTHONPATH": self._path, forkserver.ADDRESS: self.address} | environment
        return subprocess.Popen([sys.executable, str(script), *arguments], env=variables, cwd=folder, process_group=group, **PIPES)

    def answers(self, script: Path, *arguments: str, **settings) -> tuple[int, str, str]:
        """Return the exit status, output and errors of a job."""
        process = self.job(script, *arguments, **settings)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def end(self) -> None:
        """End the process that has started the server."""
        self.starter.stdin.close()
        self.starter.wait()
        self.starter.stdout.close()
        self.starter.stderr.close()


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


def note_of(tmp_path: Path) -> str:
    return f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"


def noted(tmp_path: Path, job: subprocess.Popen | None = None) -> int:
    """Return the process number that a job has noted, once its own process hands signals on."""
    note = tmp_path / "pid"
    assert wait_until(lambda: note.exists() and note.read_text())
    assert job is None or wait_until(lambda: catches(job.pid, signal.SIGTERM))
    return int(note.read_text())


def catches(pid: int, number: int) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
