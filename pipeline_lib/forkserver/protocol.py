"""What a job and the server tell each other, over an abstract socket: a name without a file."""

import contextlib
import json
import os
import socket
import struct
import sys

from pipeline_lib import script

ADDRESS = "PIPELINE_FORKSERVER"  # the environment variable that tells a job the name at which the server listens
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # read when a library is imported, and not later
READ_BY_LIBRARIES = (*THREADS, "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "MPLBACKEND")
NUMBER = struct.Struct("i")
NEWS = struct.Struct("2i")  # a worker's process number, and how it ended
RUNNING = 1 << 16  # instead of the latter; no process ends like this
CREDENTIALS = struct.Struct("3i")  # process, user, group
PATIENCE = 2  # seconds for a job to say what it wants


def ask(server: socket.socket, address: str, **wish: bool) -> None:
    """Connect to the server and ask it to run this process's script.

    Args:
        server: not connected yet.
        address: where it listens.
        wish: what more it is to know.

    Raises:
        OSError: nobody of this user listens there, or the server has gone.
    """
    server.connect(f"\0{address}")
    if not own(server):
        raise PermissionError("somebody else's server")
    content = json.dumps({"surroundings": _surroundings(), **script.described(), **wish}).encode()
    socket.send_fds(server, [NUMBER.pack(len(content))], [0, 1, 2])
    server.sendall(content)


def receive(client: socket.socket) -> tuple[dict | None, list[int]]:
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


def tell(client: socket.socket, worker: int, status: int) -> None:
    """Tell a job that its worker runs, or how it has ended."""
    with contextlib.suppress(OSError):  # it has been killed
        client.sendall(NEWS.pack(worker, status))


def told(server: socket.socket) -> tuple[int, int]:
    """Return a worker's process number and how it ended; waits for the news.

    Raises:
        OSError, EOFError: there will be none.
    """
    return NEWS.unpack(_exactly(server, NEWS.size))


def own(peer: socket.socket) -> bool:
    """Whether the other end is a process of the same user: anybody may listen and connect at a name without a file."""
    _, user, _ = CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
    return user == os.getuid()


def _surroundings() -> list:
    """Return what a worker cannot change any more: the interpreter, this package, what libraries read when they are imported."""
    read = [os.environ.get(name) for name in READ_BY_LIBRARIES]
    return [sys.executable, sys.prefix, [*sys.flags], sys.warnoptions, __file__, *read]


def _exactly(sender: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = sender.recv(size - len(content))
        if not part:
            raise EOFError
        content += part
    return content
