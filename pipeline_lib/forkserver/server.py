"""The server: a process that has the libraries imported and forks a worker for every job, and helpers where cores are idle."""

import contextlib
import ctypes
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from pipeline_lib import forkserver, script
from pipeline_lib.forkserver import protocol, send

PAUSE = 0.5  # seconds for which nobody has taken a place: only then it is idle, and not between two jobs
LAST_WORDS = 5  # seconds for a helper that is sent away
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
POLITE = 5  # a third of the weight of other processes
FIRST_TO_GO = "1000"  # where memory runs out


@dataclass(eq=False)
class Wish:
    """That a worker be helped where cores are idle.

    Attributes:
        job: to run once more.
        client: the worker's end of it; hangs up when the work is done.
        helpers: processes at work for it.
        over: whether a helper has come to its end, so that nothing is left to be begun, or could not be forked.
    """

    job: dict
    client: socket.socket
    helpers: set[int] = field(default_factory=set)
    over: bool = False


class Server:
    """Forks a worker for every job that asks for one, and tells the job how it ended.

    Args:
        listener: where jobs ask.
        lifeline: a file that is at its end when the process that starts the jobs has ended.
        begin: called in a worker before anything else.
        places: jobs and helpers together are at most so many; 0: no helpers.

    Attributes:
        open: whether more jobs can come.
    """

    def __init__(self, listener: socket.socket, lifeline: int, begin: Callable[[], object] = lambda: None, places: int = 0):
        self._begin, self._places = begin, places
        self._address = listener.getsockname()[1:].decode()
        self._selector = selectors.DefaultSelector()
        self.open, self._workers, self._wishes = True, 0, []
        self._free = [time.monotonic()] * places  # since when each free place is free; jobs take the one that has been free least
        self._expect(listener, lambda: self._accept(listener))
        self._expect(lifeline, lambda: self._close(listener, lifeline))

    def serve(self, wait: bool) -> dict | None:
        """Serve jobs.

        Args:
            wait: until no job can come any more and the last has ended; otherwise only those that are there.

        Returns:
            Nothing in the server; in a worker or a helper, the job that it has to do.
        """
        while self.open or self._workers:
            if wait and (job := self._lend()):
                return job
            ready = self._selector.select(self._until_idle() if wait else 0)
            for key, _ in ready:
                if self._selector.get_map().get(key.fd) is key and (job := key.data()):
                    return job
            if not (ready or wait):
                break
        return None

    def _expect(self, file: socket.socket | int, then: Callable[[], dict | None]) -> None:
        self._selector.register(file, selectors.EVENT_READ, then)

    def _close(self, listener: socket.socket, lifeline: int) -> None:
        self.open = False
        self._selector.unregister(lifeline)
        self._selector.unregister(listener)
        listener.close()
        for wish in self._wishes.copy():  # nobody has asked for cores any more
            self._withdraw(wish)

    def _accept(self, listener: socket.socket) -> dict | None:
        """Fork a worker, or hang up, after which the job runs in its own process."""
        client, _ = listener.accept()
        job, files = protocol.receive(client) if protocol.own(client) else (None, [])
        worker, wanted = None, job and job.get("helpers")
        if wanted:
            wish = Wish(job, client)
            self._wishes.append(wish)
            self._expect(client, lambda: self._withdraw(wish))
        elif job:
            worker = self._fork(files)
        if worker == 0:
            self._begin()
            forkserver.note_fork(self._address, helper=False)
            protocol.tell(client, os.getpid(), protocol.RUNNING)
            client.close()
            return job
        if worker:
            self._watch(worker, client)
            self._take_place()
        elif not wanted:
            client.close()
        for file in files:
            os.close(file)
        return None

    def _fork(self, files: Sequence[int]) -> int | None:
        """Fork; a child keeps nothing of the server's, and the given files as its standard ones. None: no room for another."""
        try:
            child = os.fork()
        except OSError:
            return None
        if child == 0:
            self._leave()
            for standard, file in enumerate(files):
                os.dup2(file, standard)
            for file in set(files):
                os.close(file)
        return child

    def _watch(self, worker: int, client: socket.socket) -> None:
        end = os.pidfd_open(worker)
        self._workers += 1
        self._expect(end, lambda: self._ended(worker, end, client))
        self._expect(client, lambda: self._abandoned(worker, client))

    def _reap(self, child: int, end: int) -> int:
        _, status = os.waitpid(child, 0)
        self._selector.unregister(end)
        os.close(end)
        return os.waitstatus_to_exitcode(status)

    def _ended(self, worker: int, end: int, client: socket.socket) -> None:
        """Tell a job how its worker has ended."""
        status = self._reap(worker, end)
        self._workers -= 1
        self._give_place_back()
        if client.fileno() >= 0:
            self._selector.unregister(client)
            protocol.tell(client, worker, status)
            client.close()

    def _abandoned(self, worker: int, client: socket.socket) -> None:
        """A job's process has been killed, so its worker has to end too."""
        self._selector.unregister(client)
        client.close()
        os.kill(worker, signal.SIGKILL)

    def _helpers(self) -> int:
        return sum(len(wish.helpers) for wish in self._wishes)

    def _take_place(self) -> None:
        """A job has begun: it takes a free place, or a helper's."""
        if self._free:
            self._free.pop()
        elif self._helpers():
            self._send_away(max(self._wishes, key=lambda wish: len(wish.helpers)))

    def _give_place_back(self) -> None:
        if len(self._free) + self._workers + self._helpers() < self._places:
            self._free.append(time.monotonic())

    def _open_wishes(self) -> list[Wish]:
        return [wish for wish in self._wishes if not wish.over]

    def _until_idle(self) -> float | None:
        """Return the seconds until a place can be lent if nothing happens before, or None if none can."""
        return max(0.0, self._free[0] + PAUSE - time.monotonic()) if self._free and self._open_wishes() else None

    def _lend(self) -> dict | None:
        """Fork a helper on every place that has been free for long enough; in it, return the job."""
        while self._until_idle() == 0:
            del self._free[0]
            wish = min(self._open_wishes(), key=lambda wish: len(wish.helpers))
            nothing = os.open(os.devnull, os.O_RDWR)  # its words are in the job's log
            helper = self._fork([nothing] * 3)
            if helper == 0:
                self._begin_helper()
                return wish.job
            os.close(nothing)
            if helper:
                end = os.pidfd_open(helper)
                wish.helpers.add(helper)
                self._expect(end, partial(self._helper_ended, wish, helper, end))
            else:
                wish.over = True
                self._give_place_back()
        return None

    def _begin_helper(self) -> None:
        server = os.getppid()
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != server:
            os._exit(1)
        os.nice(POLITE)  # what this server does not know of may need the core
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write(FIRST_TO_GO)

        def leave(*_) -> None:
            signal.alarm(LAST_WORDS)  # whatever becomes of the exception
            sys.exit()

        signal.signal(signal.SIGTERM, leave)
        forkserver.note_fork(self._address, helper=True)

    def _helper_ended(self, wish: Wish, helper: int, end: int) -> None:
        self._reap(helper, end)
        if helper in wish.helpers:  # it was not sent away
            wish.helpers.remove(helper)
            wish.over = True
            self._give_place_back()

    def _send_away(self, wish: Wish) -> None:
        send(wish.helpers.pop(), signal.SIGTERM)

    def _withdraw(self, wish: Wish) -> None:
        """Forget a wish: the job has no work left, or has ended."""
        self._wishes.remove(wish)
        self._selector.unregister(wish.client)
        wish.client.close()
        while wish.helpers:
            self._send_away(wish)
            self._give_place_back()

    def _leave(self) -> None:
        """In a child: keep nothing open that belongs to the server."""
        for key in list(self._selector.get_map().values()):
            if key.fd > 2:
                key.fileobj.close() if isinstance(key.fileobj, socket.socket) else os.close(key.fd)
        self._selector.close()


def main() -> None:
    """Be the server, or one of its workers or helpers."""
    _, listener, places, *libraries = sys.argv
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # is for the jobs
    begin = partial(signal.signal, signal.SIGINT, interrupted)
    server, job = Server(socket.socket(fileno=int(listener)), sys.stdin.fileno(), begin, int(places)), None
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
