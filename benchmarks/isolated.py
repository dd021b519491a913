"""Call a function in a fresh process with a fixed number of threads, and learn its peak memory.

`python -m benchmarks.isolated MODULE FUNCTION '{"argument": ...}'` prints one JSON object.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.inputs import ROOT
from pipeline_lib.forkserver import THREADS

KIB, MB = 1024, 1e6


@dataclass(frozen=True)
class Outcome:
    """What came of a call.

    Attributes:
        value: what the function returned.
        peak: largest resident memory of the process in MB, the interpreter included.
        wall: seconds from the start of the process to its end.
    """

    value: float | list[float]
    peak: float
    wall: float


def call(module: str, function: str, arguments: dict, threads: int) -> Outcome:
    """Run `module.function(**arguments)` in a process of its own.

    Raises:
        RuntimeError: the process failed; carries the end of what it wrote.
    """
    command = [sys.executable, "-m", "benchmarks.isolated", module, function, json.dumps(arguments)]
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    wall = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{module}.{function} failed:\n{done.stderr[-2000:]}")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]), wall=wall)


def peak_memory() -> float:
    """Return this process's largest resident memory in MB.

    Linux hands `ru_maxrss` down from the process that started this one, so the kernel's own mark of this one comes first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        marks = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        if marks:
            return int(marks[0]) * KIB / MB
    unit = 1 if sys.platform == "darwin" else KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


if __name__ == "__main__":
    module, function, arguments = sys.argv[1:]
    value = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print(json.dumps({"value": value, "peak": peak_memory()}))
