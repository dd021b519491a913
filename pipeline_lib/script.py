"""Run a script in a process that was not started for it.

It begins and ends as in a process of its own, but for one thing: the libraries are not taken down at the end, so what they (not the
script) have left open is not written out.
"""

import atexit
import contextlib
import gc
import os
import signal
import sys
import threading
import types
import weakref

FULL = 120  # Python's exit status where its output could not be written


def described() -> dict:
    """Return what another process has to take over to run this one's script, but for the standard files."""
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "arguments": sys.argv,
        "path": _path(),
        "folder": os.getcwd(),
        "umask": umask,
        "environment": dict(os.environ),
    }


def _path() -> list[str]:
    """Return where modules are looked for; as Python starts, the script's folder is not there yet."""
    folder = os.path.dirname(os.path.realpath(sys.argv[0]))
    return sys.path if sys.flags.safe_path or sys.path[0] == folder else [folder, *sys.path]


def run(job: dict) -> None:
    """Run a script as if this process had been started for it, and end.

    Args:
        job: what `described` returned in the process that was.
    """
    os.environ.clear()
    os.environ.update(job["environment"])
    os.umask(job["umask"])
    os.chdir(job["folder"])
    sys.argv, sys.path[:] = job["arguments"], job["path"]
    if "numpy" in sys.modules:  # or what draws without a seed would draw the same in every job
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.seed()
    _disown_finalizers()
    sys.stdout.reconfigure(line_buffering=os.isatty(1))
    main = types.ModuleType("__main__")
    main.__file__ = sys.argv[0]
    sys.modules["__main__"] = main
    status = 1
    try:
        with open(sys.argv[0], "rb") as file:
            code = compile(file.read(), sys.argv[0], "exec", dont_inherit=True)
        exec(code, main.__dict__)
        status = 0
    except SystemExit as asked:
        status = _status(asked.code)
    except BaseException as error:
        own = error.__traceback__.tb_next  # the frames of the script only
        sys.excepthook(type(error), error.with_traceback(own), own)
        status = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    finally:
        end(status, main.__dict__)


def _disown_finalizers() -> None:
    """Leave undone what libraries imported before want at the end: PyTorch would take back each of its operators, in 25 ms."""
    for finalizer in list(weakref.finalize._registry):
        finalizer.atexit = False


def _status(code: object) -> int:
    """Return the exit status for what `sys.exit` was given."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def end(status: int, names: dict | None = None) -> None:
    """End as Python ends a process, but for taking down the libraries, which takes a quarter of a second.

    Args:
        status: the exit status, or the negative number of a signal.
        names: what the script has named, which is dropped; None: no script has run.
    """
    try:
        threading._shutdown()  # waits for the threads of the script
        atexit._run_exitfuncs()
        if names:
            _drop(names)
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            if stream and not stream.closed:
                try:
                    stream.flush()
                except OSError as error:
                    print(f"{stream.name}: {error}", file=sys.__stderr__)
                    status = status or FULL
        if status < 0:
            _die(-status)
    finally:
        os._exit(status)


def _drop(names: dict) -> None:
    """Drop a script's objects, so that open files are closed; what `__del__` of one may still need goes last."""
    tools = (types.ModuleType, types.FunctionType, type)
    for name in [name for name, value in names.items() if not isinstance(value, tools) and not name.startswith("__")]:
        del names[name]
    gc.collect()
    names.clear()


def _die(number: int) -> None:
    """End this process by a signal."""
    with contextlib.suppress(OSError):  # nobody handles SIGKILL
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
