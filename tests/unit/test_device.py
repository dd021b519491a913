"""What a process that computes is set up with."""

import ctypes
import platform
from types import SimpleNamespace

import pytest

from pipeline_lib.learn import device


def test_on_a_cpu_glibc_is_told_to_keep_what_is_freed(monkeypatch):
    """No blocks of their own for the system to take back, and no end of the heap given back, as malloc.h numbers the two."""
    told = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(mallopt=lambda number, value: told.append((number, value))))
    device.choose("cpu")
    assert told == [(-4, 0), (-1, 2**31 - 1)]


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert device.choose("cpu").type == "cpu"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to")
def test_glibc_takes_both():
    mallopt = ctypes.CDLL(None).mallopt
    assert mallopt(device.M_MMAP_MAX, 0) == mallopt(device.M_TRIM_THRESHOLD, 2**31 - 1) == 1
