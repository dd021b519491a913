"""What this machine has, found out without importing torch."""

import os
from pathlib import Path

GPU_DEVICES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")  # Linux, containers, WSL


def gpu_expected(device: str) -> bool:
    """Return whether jobs will compute on a GPU, given `device` of the config ("auto", "cpu" or "cuda")."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return device == "cuda" or (device == "auto" and not hidden and any(Path(path).exists() for path in GPU_DEVICES))
