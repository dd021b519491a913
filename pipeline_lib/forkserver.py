"""Jobs that begin as a fork of a process in which the large libraries are imported already.

Importing PyTorch takes one to three seconds, and a study of digits has hundreds of jobs. While Snakemake runs jobs on this
machine, a server beside it has the libraries imported. A job's own process hands its script over to it, waits for the fork that
runs the script, and ends as that ends. Arguments, working directory, environment, umask and standard files are those of the job;
what Snakemake gives all of its jobs (limits, niceness, processors) the server has too.

The server imports the libraries and never uses them: it has no thread, no GPU context and no open file that a fork could damage.
Of this package it should import only what changes no result (the models of the settings take as long as all else of it), so that a
job computes with the code that lies on the disk when it starts. Where there is no server, or not the right one (a cluster's node,
another interpreter, more threads), a job runs in its own process.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial

from pipeline_lib import script

ADDRESS = "PIPELINE_FORKSERVER"  # the environment variable that tells a job the name at which the server listens
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read when a library is imported, and not later
READ_BY_LIBRARIES = (*THREADS, "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "MPLBACKEND")
NUMBER = struct.Struct("i")
NEWS = struct.Struct("2i")  # a worker's process number, and how it ended
RUNNING = 1 << 16  # instead of the latter; no process ends like this
CREDENTIALS = struct.Struct("3i")  # process, user, group
PATIENCE = 2  # seconds for a job to say what it wants

_started = None  # the server of this process, which ends when its standard input does


def possible() -> bool:
    """Whether this system has what it takes: Linux does, unless a container forbids it."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def start(*libraries: str) -> None:
    """Start a server for the jobs that this process will start; it ends with this process. Does nothing if it is not possible.

    Args:
        libraries: are imported one after another. Jobs that wait are served in between, so what the first ones need comes first.
    """
    global _started
    if not possible():
        return
    address = f"pruning-pipeline-{os.urandom(8).hex()}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:  # no room for another process
        listener.bind(f"\0{address}")  # an abstract socket, a name without a file: nothing is left of it, however this ends
        listener.listen(128)
        _started = subprocess.Popen(
            [sys.executable, "-c", "from pipeline_lib.forkserver import main; main()", str(listener.fileno()), *libraries],
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
    if not address or sys.orig_argv[1:] != sys.argv:  # a module, a command, a child of multiprocessing
        return
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker is interrupted too, and ends in its own way
    status = _forked(address)
    signal.signal(signal.SIGINT, interrupted)
    if status is None:
        return
    if status < 0:
        script.die(-status)
    sys.exit(status)


def _forked(address: str) -> int | None:
    """Return how the fork that ran this process's script ended: its exit status, or the negative number of a signal.

    None where no fork has run it, and none will.
    """
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(f"\0{address}")
            if not _own(server):
                return None
            content = json.dumps({"surroundings": _surroundings(), **script.described()}).encode()
            socket.send_fds(server, [NUMBER.pack(len(content))], [0, 1, 2])
            server.sendall(content)
            worker, status = NEWS.unpack(_exactly(server, NEWS.size))
        except (OSError, EOFError):
            return None
        try:
            if status == RUNNING:
                signal.signal(signal.SIGTERM, lambda *_: _send(worker, signal.SIGTERM))
                _, status = NEWS.unpack(_exactly(server, NEWS.size))
        except (OSError, EOFError):
            _send(worker, signal.SIGKILL)
            sys.exit("error: the process that jobs are forked from has ended. Run the same command again")
    return status


class Server:
    """Forks a worker for every job that asks for one, and tells the job how it ended.

    Args:
        listener: where jobs ask.
        lifeline: a file that is at its end when the process that starts the jobs has ended.
        begin: called in a worker before anything else.

    Attributes:
        open: whether more jobs can come.
    """

    def __init__(self, listener: socket.socket, lifeline: int, begin: Callable[[], object] = lambda: None):
        self._begin = begin
        self._selector = selectors.DefaultSelector()
        self.open, self._workers = True, 0
        self._expect(listener, lambda: self._accept(listener))
        self._expect(lifeline, lambda: self._close(listener, lifeline))

    def serve(self, wait: bool) -> dict | None:
        """Serve jobs.

        Args:
            wait: until no job can come any more and the last has ended; otherwise only those that are there.

        Returns:
            Nothing in the server; in a worker, the job that it has to do.
        """
        while self.open or self._workers:
            ready = self._selector.select(None if wait else 0)
            for key, _ in ready:
                if self._selector.get_map().get(key.fd) is key and (job := key.data()):
                    return job
            if not ready:
                break
        return None

    def _expect(self, file: socket.socket | int, then: Callable[[], dict | None]) -> None:
        self._selector.register(file, selectors.EVENT_READ, then)

    def _close(self, listener: socket.socket, lifeline: int) -> None:
        self.open = False
        self._selector.unregister(lifeline)
        self._selector.unregister(listener)
        listener.close()

    def _accept(self, listener: socket.socket) -> dict | None:
        """Fork a worker, or hang up, after which the job runs in its own process."""
        client, _ = listener.accept()
        job, files = _receive(client) if _own(client) else (None, [])
        try:
            worker = os.fork() if job else None
        except OSError:  # no room for another process
            worker = None
        if worker == 0:
            self._begin()
            self._leave()
            for standard, file in enumerate(files):
                os.dup2(file, standard)
            _tell(client, os.getpid(), RUNNING)
        if worker:
            self._watch(worker, client)
        else:
            client.close()
        for file in files:
            os.close(file)
        return job if worker == 0 else None

    def _watch(self, worker: int, client: socket.socket) -> None:
        end = os.pidfd_open(worker)
        self._workers += 1
        self._expect(end, lambda: self._ended(worker, end, client))
        self._expect(client, lambda: self._abandoned(worker, client))

    def _ended(self, worker: int, end: int, client: socket.socket) -> None:
        """Tell a job how its worker has ended."""
        _, status = os.waitpid(worker, 0)
        self._workers -= 1
        self._selector.unregister(end)
        os.close(end)
        if client.fileno() >= 0:
            self._selector.unregister(client)
            _tell(client, worker, os.waitstatus_to_exitcode(status))
            client.close()

    def _abandoned(self, worker: int, client: socket.socket) -> None:
        """A job's process has been killed, so its worker has to end too."""
        self._selector.unregister(client)
        client.close()
        os.kill(worker, signal.SIGKILL)

    def _leave(self) -> None:
        """In a worker: keep nothing open that belongs to the server."""
        for key in list(self._selector.get_map().values()):
            if key.fd > 2:
                key.fileobj.close() if isinstance(key.fileobj, socket.socket) else os.close(key.fd)
        self._selector.close()


def main() -> None:
    """Be the server, or one of its workers."""
    _, listener, *libraries = sys.argv
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # is for the jobs
    begin = partial(signal.signal, signal.SIGINT, interrupted)
    server, job = Server(socket.socket(fileno=int(listener)), sys.stdin.fileno(), begin), None
    for library in libraries:
        with contextlib.suppress(Exception):  # the job that needs it says what is wrong with it
            importlib.import_module(library)
        sys.stdout.flush()  # or every worker would say it again
        gc.freeze()  # what a worker does not touch stays shared
        job = server.serve(wait=False)
        if job or not server.open:
            break
    job = job or server.serve(wait=True)
    if job:
        script.run(job)


def _send(worker: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, number)


def _surroundings() -> list:
    """Return what a worker cannot change any more: the interpreter, this package, what libraries read when they are imported."""
    read = [os.environ.get(name) for name in READ_BY_LIBRARIES]
    return [sys.executable, sys.prefix, [*sys.flags], sys.warnoptions, __file__, *read]


def _receive(client: socket.socket) -> tuple[dict | None, list[int]]:
    """Return what a job asks for and its standard files; no job where it says nothing, or is not for a fork of this process."""
    files = []
    try:
        client.settimeout(PATIENCE)
        size, files, *_ = socket.recv_fds(client, NUMBER.size, 3)
        job = json.loads(_exactly(client, NUMBER.unpack(size)[0]))
        client.settimeout(None)
        return job if len(files) == 3 and job["surroundings"] == _surroundings() else None, files
    except (OSError, EOFError, struct.error, ValueError, KeyError, TypeError):
        return None, files


def _own(peer: socket.socket) -> bool:
    """Whether the other end is a process of the same user: anybody may listen and connect at a name without a file."""
    _, user, _ = CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return user == os.getuid()


def _exactly(sender: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = sender.recv(size - len(content))
        if not part:
            raise EOFError
        content += part
    return content


def _tell(client: socket.socket, worker: int, status: int) -> None:
    with contextlib.suppress(OSError):  # it has been killed
        client.sendall(NEWS.pack(worker, status))
