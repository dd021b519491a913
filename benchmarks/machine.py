"""The machine and the versions that a measurement was made on, in words."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import torch

from benchmarks.inputs import ROOT

PACKAGES = ("torch", "torchvision", "numpy", "h5py", "faiss-cpu", "snakemake")
GIB = 2**30
WRITTEN = (":!benchmarks/*.csv", ":!docs")  # by benchmarks, and documents: no code that is measured
NEEDS_BFLOAT16 = "a CPU with AVX-512 BF16"  # what a row says that is measured only where `device.computes_in_bfloat16`


def describe() -> str:
    """Return processor, cores, memory and GPU."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = [f"{processor()} ({torch.backends.cpu.get_cpu_capability()})", f"{cores} cores", f"{memory:.0f} GiB of memory"]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return ", ".join([*words, gpu])


def processor() -> str:
    """Return the processor's name as the system gives it."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.exists() else []
    listed = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return listed or platform.processor() or platform.machine()


def versions() -> str:
    """Return the system, Python and the libraries that the time is spent in."""
    found = [platform.system(), f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            found.append(f"no {name}")
    return ", ".join(found)


def commit() -> str:
    """Return the short hash of the commit measured, with a plus where files differ from it; empty outside a git checkout.

    What benchmarks write, and documents, may differ.
    """
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
        status = ["git", "status", "--porcelain", "--", ".", *WRITTEN]
        changed = subprocess.run(status, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def load() -> float:
    """Return how many processes were running or waiting over the last minute."""
    return os.getloadavg()[0]
