"""Jobs that begin as a fork of a process in which the large libraries are imported already.

Importing PyTorch takes one to three seconds, and a study of digits has hundreds of jobs. While Snakemake runs jobs on this
machine, a server beside it has the libraries imported. A job's own process hands its script over to it as it begins (`early`),
waits for the fork that runs the script, and ends as that ends. Arguments, working directory, environment, umask and standard files
are those of the job; what Snakemake gives all of its jobs (limits, niceness, processors) the server has too.

The server imports the libraries and never uses them: it has no thread, no GPU context and no open file that a fork could damage.
Of this package it imports only the settings' models, which are slow to import and change no result: a job imports everything else
itself, so that it computes with the code that lies on the disk when it starts. Where there is no server, or not the right one
(a cluster's node, another interpreter, more threads), a job runs in its own process.

The server also knows how many of the cores have nothing to do. A job of many parts that anybody can do (a sweep of trainings)
may say so (`helped`), and its script then runs once more on every such core, as a helper: it does parts for the job, gives way as
soon as another job needs the core, and ends with the job.
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator

from pipeline_lib import script
from pipeline_lib.forkserver import protocol
from pipeline_lib.forkserver.protocol import ADDRESS, RUNNING, THREADS

EARLY = os.path.join(os.path.dirname(__file__), "early")  # on PYTHONPATH, it hands jobs over

_started = None  # the server of this process, which ends when its standard input does
_address = None  # of the server that this process is a fork of
_helping = False


def possible() -> bool:
    """Whether this system has what it takes: Linux does, unless a container forbids it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def start(*libraries: str, places: int = 0) -> None:
    """Start a server for the jobs that this process will start; it ends with this process. Does nothing if it is not possible.

    Args:
        libraries: are imported one after another. Jobs that wait are served in between, so what the first ones need comes first.
        places: jobs and helpers together are at most so many; 0: no helpers.
    """
    global _started
    if not possible():
        return
    import subprocess  # a job's own process does without it

    address = f"pruning-pipeline-{os.urandom(8).hex()}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:  # no room for another process
        listener.bind(f"\0{address}")  # nothing is left of such a name, however this ends
        listener.listen(128)
        main = "from pipeline_lib.forkserver.server import main; main()"
        _started = subprocess.Popen(
            [sys.executable, "-c", main, str(listener.fileno()), str(places), *libraries],
            env=os.environ | dict.fromkeys(THREADS, "1"),
            cwd="/",  # where no file is mistaken for a library
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # or who reads what this process says would wait for the server's end
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
        os.environ[ADDRESS] = address


def hand_over() -> None:
    """Let the server run the script of this process, and end as it ends; return where this process has to run it itself."""
    address = os.environ.pop(ADDRESS, None)
    if not address or sys.orig_argv[1:] != sys.argv:  # Python has options that a fork does not know
        return
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker is interrupted too, and ends in its own way
    status = _forked(address)
    signal.signal(signal.SIGINT, interrupted)
    if status is not None:
        script.end(status)


def _forked(address: str) -> int | None:
    """Return how the fork that ran this process's script ended: its exit status, or the negative number of a signal.

    None where no fork has run it, and none will.
    """
    with socket.socket(socket.AF_UNIX) as server:
        try:
            protocol.ask(server, address)
            worker, status = protocol.told(server)
        except (OSError, EOFError):
            return None
        try:
            if status == RUNNING:
                signal.signal(signal.SIGTERM, lambda *_: send(worker, signal.SIGTERM))
                _, status = protocol.told(server)
        except (OSError, EOFError):
            send(worker, signal.SIGKILL)
            print("error: the process that jobs are forked from has ended. Run the same command again", file=sys.stderr)
            return 1
    return status


def note_fork(address: str, helper: bool) -> None:
    """Note in a fork which server it is of, and whether it is a helper."""
    global _address, _helping
    _address, _helping = address, helper


def helping() -> bool:
    """Whether this process is a helper: its script is to do parts of a job that another process answers for, and write nothing
    else."""
    return _helping


@contextlib.contextmanager
def helped() -> Iterator[None]:
    """As long as it lasts, helpers run this process's script on cores that have nothing to do, if a server knows of any."""
    with contextlib.ExitStack() as helpers:
        if _address and not _helping:
            with contextlib.suppress(OSError, TypeError):  # no room for another file, or for helpers
                server = helpers.enter_context(socket.socket(socket.AF_UNIX))  # its end is that of the helpers
                protocol.ask(server, _address, helpers=True)
        yield


def send(worker: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, number)
