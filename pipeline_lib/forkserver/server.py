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
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from pipeline_lib import forkserver, script
from pipeline_lib.forkserver import protocol, send

PAUSE = 0.5  # seconds in which no job comes or goes: only then a core is idle, and not between two jobs
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
POLITE = 5  # a third of the weight of other processes


@dataclass(eq=False)
class Wish:
    """A worker's, to be helped where cores are idle.

    Attributes:
        job: to run once more.
        files: the job's standard files.
        client: the worker's end of it; hangs up when the work is done.
        helpers: processes at work for it.
        over: whether one of them has come to its end, so that nothing is left to be begun.
    """

    job: dict
    files: list[int]
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
            wish = self._next_wish() if wait else None
            ready = self._selector.select((PAUSE if wish else None) if wait else 0)
            for key, _ in ready:
                if self._selector.get_map().get(key.fd) is key and (job := key.data()):
                    return job
            if not ready:
                if not wish:
                    break
                if job := self._help(wish):
                    return job
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
        if job and job.get("helpers"):
            wish = Wish(job, files, client)
            self._wishes.append(wish)
            self._expect(client, lambda: self._withdraw(wish))
            return None
        worker = self._fork(files) if job else None
        if worker == 0:
            self._begin()
            forkserver.is_fork(self._address, helper=False)
            protocol.tell(client, os.getpid(), protocol.RUNNING)
            client.close()
            return job
        if worker:
            self._watch(worker, client)
            self._make_room()
        else:
            client.close()
        for file in files:
            os.close(file)
        return None

    def _fork(self, files: list[int]) -> int | None:
        """Fork; a child has nothing open of the server, but the given files as its standard ones. None: no room for another."""
        try:
            child = os.fork()
        except OSError:
            return None
        if child == 0:
            self._leave()
            for standard, file in enumerate(files):
                os.dup2(file, standard)
            for file in {*files, *(file for wish in self._wishes for file in wish.files)}:
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
        if client.fileno() >= 0:
            self._selector.unregister(client)
            protocol.tell(client, worker, status)
            client.close()

    def _abandoned(self, worker: int, client: socket.socket) -> None:
        """A job's process has been killed, so its worker has to end too."""
        self._selector.unregister(client)
        client.close()
        os.kill(worker, signal.SIGKILL)

    def _next_wish(self) -> Wish | None:
        """Return who is to be helped by the next idle core, if there is one: who has the fewest helpers."""
        wishes = [wish for wish in self._wishes if not wish.over]
        return min(wishes, key=lambda wish: len(wish.helpers)) if wishes and self._idle() > 0 else None

    def _idle(self) -> int:
        return self._places - self._workers - sum(len(wish.helpers) for wish in self._wishes)

    def _help(self, wish: Wish) -> dict | None:
        helper = self._fork(wish.files)
        if helper == 0:
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
            os.nice(POLITE)  # what this server does not know of may need the core
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # tidies up what it was about to write
            forkserver.is_fork(self._address, helper=True)
            return wish.job
        if helper:
            end = os.pidfd_open(helper)
            wish.helpers.add(helper)
            self._expect(end, lambda: self._helped(wish, helper, end))
        else:
            wish.over = True
        return None

    def _helped(self, wish: Wish, helper: int, end: int) -> None:
        self._reap(helper, end)
        if helper in wish.helpers:  # it was not sent away
            wish.helpers.remove(helper)
            wish.over = True

    def _make_room(self) -> None:
        """Send helpers away until there are no more processes than places."""
        while self._idle() < 0 and (wishes := [wish for wish in self._wishes if wish.helpers]):
            send(max(wishes, key=lambda wish: len(wish.helpers)).helpers.pop(), signal.SIGTERM)

    def _withdraw(self, wish: Wish) -> None:
        """Forget a wish: the job has no work left, or has ended."""
        self._wishes.remove(wish)
        self._selector.unregister(wish.client)
        wish.client.close()
        for file in wish.files:
            os.close(file)
        while wish.helpers:
            send(wish.helpers.pop(), signal.SIGTERM)

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
