"""Files that are complete or absent, and readers that say which rule makes a broken one again."""

import errno
import json
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from pipeline_lib import storage
from pipeline_lib.errors import PipelineError

PROJECT = Path(__file__).parents[2]
WRITERS = {
    "h5": lambda path: storage.write_h5(path, {"x": np.arange(1000)}, {"note": "new"}),
    "json": lambda path: storage.write_json(path, {"x": 1}),
    "csv": lambda path: storage.write_csv(path, pd.DataFrame({"x": [1, 2]})),
}
every_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


def fails_with(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


@every_writer
def test_a_file_appears_whole_and_alone_in_a_new_folder(tmp_path, write):
    write(tmp_path / "not there yet" / "file")
    assert {file.name for file in (tmp_path / "not there yet").iterdir()} - {".file.sha256"} == {"file"}


@every_writer
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path, monkeypatch, write):
    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", fails_with(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        write(tmp_path / "file")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"file": "old"}


def interrupted_write(path):
    with storage.atomic(path) as temporary:
        temporary.write_text("half of")
        raise KeyboardInterrupt


def test_an_exception_inside_keeps_the_old_file_and_passes_through(tmp_path):
    (tmp_path / "file").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        interrupted_write(tmp_path / "file")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"file": "old"}


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002])
def test_the_file_mode_is_the_users_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        storage.write_json(tmp_path / "file", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@every_writer
def test_a_full_disk_is_told_with_file_and_cure(tmp_path, monkeypatch, write, number):
    monkeypatch.setattr(os, "fsync", fails_with(number))
    with pytest.raises(PipelineError, match=r"file: no space left on the disk .* free some space and run the same command again"):
        write(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fits", [0, 1000, 5000])
def test_hdf5_survives_a_write_that_fails_half_way(tmp_path, fits):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (fits, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            storage.write_h5(tmp_path / "file.h5", {f"x{i}": np.zeros(100) for i in range(100)}, {"note": "new"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


ON_A_TINY_DISK = """
import os, sys, numpy
from pipeline_lib import storage
from pipeline_lib.errors import PipelineError
try:
    storage.write_h5(sys.argv[1] + "/file.h5", {f"x{i}": numpy.zeros(100) for i in range(200)}, {})
except PipelineError as error:
    print(error)
print(os.listdir(sys.argv[1]))
"""


def on_a_file_system(options, folder):
    """Run the writer on a small file system of its own, mounted for it alone."""
    command = 'mount -t tmpfs -o "$4" none "$1" && exec "$2" -c "$3" "$1"'
    private = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        done = subprocess.run(
            [*private, command, "sh", folder, sys.executable, ON_A_TINY_DISK, options],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
        )
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no private file system here: {done.stderr.strip()}")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_really_full_disk_does_not_take_the_process_down(tmp_path):
    said = on_a_file_system("size=64k", tmp_path)
    assert said.startswith(f"{tmp_path}/file.h5: no space left on the disk")
    assert said.endswith("[]\n")


def test_a_folder_that_is_really_read_only_is_named(tmp_path):
    said = on_a_file_system("ro", tmp_path)
    assert said == f"{tmp_path}/file.h5: cannot be written (Read-only file system). Check who owns the folder {tmp_path}.\n[]\n"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch, number):
    monkeypatch.setattr(storage.tempfile, "mkstemp", fails_with(number))
    with pytest.raises(PipelineError) as caught:
        storage.write_json(tmp_path / "file", 1)
    assert str(caught.value) == (
        f"{tmp_path}/file: cannot be written ({os.strerror(number)}). Check who owns the folder {tmp_path}."
    )


@pytest.mark.parametrize("name", ["plain.h5", "with blanks.h5", "Prüfung – 检查.h5"])
def test_hdf5_comes_back_as_it_went(tmp_path, name):
    path = tmp_path / "Ordner mit ü" / name
    arrays = {"a/b": np.arange(6, dtype=np.float16).reshape(2, 3), "names": ["Äpfel", "", "两"], "none": np.zeros((0, 4), np.uint8)}
    storage.write_h5(path, arrays, {"count": 3, "note": "größer", "settings": {"lr": 0.1, "steps": [1, 2]}})
    with storage.open_h5(path, "some_rule", ("a/b", "names")) as file:
        assert np.array_equal(file["a/b"][:], arrays["a/b"])
        assert file["a/b"].dtype == np.float16
        assert list(file["names"].asstr()[:]) == arrays["names"]
        assert file["none"].shape == (0, 4)
        assert (file.attrs["count"], file.attrs["note"]) == (3, "größer")
        assert json.loads(file.attrs["settings"]) == {"lr": 0.1, "steps": [1, 2]}


def test_hdf5_is_the_same_bytes_every_time(tmp_path):
    for name in ("a.h5", "b.h5"):
        storage.write_h5(tmp_path / name, {"x": np.arange(10), "names": ["a", "b"]}, {"note": "x"})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("left", [0, 1, 0.1, 0.5, 0.9, -1])
def test_hdf5_cut_short_names_file_and_rule(tmp_path, left):
    path = tmp_path / "my file.h5"
    storage.write_h5(path, {"x": np.random.default_rng(0).random(500)}, {"note": "x"})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole)) if isinstance(left, float) else left])
    with pytest.raises(PipelineError) as caught, storage.open_h5(path, "some_rule"):
        pass
    assert str(caught.value).startswith(f"{path}: damaged or cut short (")
    assert str(caught.value).endswith(f". Delete it and run `snakemake --cores 2 '{path}'` to rebuild it (rule some_rule).")


def test_hdf5_without_a_required_array_names_it(tmp_path):
    storage.write_h5(tmp_path / "file.h5", {"a/x": np.zeros(1)}, {})
    with pytest.raises(PipelineError, match=r"file.h5: lacks a/y, z\. Delete it"):
        storage.open_h5(tmp_path / "file.h5", "some_rule", ("a/x", "a/y", "z")).__enter__()


READERS = [lambda path: storage.open_h5(path, "some_rule").__enter__(), lambda path: storage.read_csv(path, ("x",), "some_rule")]


@pytest.mark.parametrize("read", READERS, ids=["h5", "csv"])
def test_a_missing_file_is_not_to_be_deleted_but_made(tmp_path, read):
    with pytest.raises(PipelineError) as caught:
        read(tmp_path / "file")
    assert (
        str(caught.value) == f"{tmp_path}/file: missing. Run `snakemake --cores 2 {tmp_path}/file` to rebuild it (rule some_rule)."
    )


@pytest.mark.parametrize("read", READERS, ids=["h5", "csv"])
def test_a_file_of_another_user_is_not_to_be_deleted(tmp_path, monkeypatch, read):
    monkeypatch.setattr(os, "stat", fails_with(errno.EACCES))
    monkeypatch.setattr(Path, "read_bytes", fails_with(errno.EACCES))
    with pytest.raises(PipelineError, match=r"file: cannot be read by this user. Check who owns it.$"):
        read(tmp_path / "file")


def test_csv_comes_back_to_the_last_digit(tmp_path):
    table = pd.DataFrame({"x": [0.1, 1 / 3, np.pi * 1e-20, np.nan], "größe": ["a", "b c", "ü", "d,e"]})
    storage.write_csv(tmp_path / "t.csv", table)
    pd.testing.assert_frame_equal(storage.read_csv(tmp_path / "t.csv", ("x",), "some_rule"), table, check_exact=True)


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n3,4", b"x,y\n1,2\n3,5\n", b"x,y\n1,2\n3,4\n5,6\n", b"\xff\xfe"])
def test_csv_that_is_not_what_was_written_names_file_and_rule(tmp_path, content):
    storage.write_csv(tmp_path / "t.csv", pd.DataFrame({"x": [1, 3], "y": [2, 4]}))
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(PipelineError) as caught:
        storage.read_csv(tmp_path / "t.csv", ("x",), "some_rule")
    assert str(caught.value).startswith(f"{tmp_path}/t.csv: was changed or damaged (its checksum in .t.csv.sha256 differs)")
    assert str(caught.value).endswith("to rebuild it (rule some_rule).")


@pytest.mark.parametrize(("table", "what"), [({"x": []}, "has no row"), ({"y": [1], "z": [2]}, "lacks the column x")])
def test_csv_without_what_is_needed_names_file_and_rule(tmp_path, table, what):
    storage.write_csv(tmp_path / "t.csv", pd.DataFrame(table))
    with pytest.raises(PipelineError, match=rf"t\.csv: {what}.*\(rule some_rule\)"):
        storage.read_csv(tmp_path / "t.csv", ("x",), "some_rule")


def test_csv_without_its_checksum_was_copied_in_by_hand(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    with pytest.raises(PipelineError, match=r"t\.csv: has no checksum beside it \(\.t\.csv\.sha256\)"):
        storage.read_csv(tmp_path / "t.csv", ("x",), "some_rule")


def test_the_checksum_beside_a_table_is_one_that_sha256sum_reads(tmp_path):
    storage.write_csv(tmp_path / "t.csv", pd.DataFrame({"x": [1]}))
    done = subprocess.run(["sha256sum", "-c", ".t.csv.sha256"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "t.csv: OK\n")


@pytest.mark.parametrize("at", ["mark", "checksum", "padding", "content", "end"])
def test_one_flipped_bit_is_noticed_wherever_it_is(tmp_path, at):
    path = tmp_path / "file.h5"
    storage.write_h5(path, {"x": np.arange(100), "names": ["a", "b"]}, {"note": "x"})
    whole = bytearray(path.read_bytes())
    where = {"mark": 3, "checksum": 40, "padding": 300, "content": len(whole) // 2, "end": -1}[at]
    whole[where] ^= 1
    path.write_bytes(whole)
    with pytest.raises(PipelineError, match=r"file\.h5: damaged or cut short"), storage.open_h5(path, "some_rule"):
        pass


def test_a_file_that_changes_after_it_was_read_is_checked_again(tmp_path):
    path = tmp_path / "file.h5"
    storage.write_h5(path, {"x": np.arange(100)}, {})
    with storage.open_h5(path, "some_rule"):
        pass
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(PipelineError, match="damaged"), storage.open_h5(path, "some_rule"):
        pass


def test_other_programs_read_the_file(tmp_path):
    storage.write_h5(tmp_path / "file.h5", {"x": np.arange(3)}, {"note": "x"})
    with h5py.File(tmp_path / "file.h5") as file:
        assert file["x"][:].tolist() == [0, 1, 2]


def test_a_file_of_other_settings_is_refused_by_its_origin(tmp_path):
    storage.write_h5(tmp_path / "file.h5", {"x": np.arange(3)}, {"origin": "abc"})
    storage.check_origin(tmp_path / "file.h5", "abc")
    with pytest.raises(
        PipelineError, match=r"file\.h5: was made by other settings .* than config.yaml has now\. Delete it and run"
    ):
        storage.check_origin(tmp_path / "file.h5", "abd")
    storage.write_h5(tmp_path / "file.h5", {"x": np.arange(3)}, {})
    with pytest.raises(PipelineError, match="was made by other settings"):
        storage.check_origin(tmp_path / "file.h5", "abc")


KILLED = """
import os, signal, sys
from pipeline_lib import storage
with storage.atomic(sys.argv[1]) as temporary:
    temporary.write_text("half of")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_leaves_is_removed_by_the_next_that_writes_the_file(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "file"], env=environment)
    assert len(list(tmp_path.iterdir())) == 1
    with storage.atomic(tmp_path / "file") as own, storage.atomic(tmp_path / "file"):
        assert own.exists(), "that of a process that runs is left alone"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


WRITER = """
import sys
from pipeline_lib import storage
for number in range(60):
    storage.write_bytes(sys.argv[1], f"{sys.argv[2]} {number}".encode())
"""


def test_two_writers_of_one_file_leave_a_file_that_agrees_with_its_checksum(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", WRITER, tmp_path / "file"]
    writers = [subprocess.Popen([*command, name], env=environment) for name in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert storage.read_bytes(tmp_path / "file", "some_rule").endswith(b" 59")
    assert {file.name for file in tmp_path.iterdir()} == {"file", ".file.sha256"}


@pytest.fixture(autouse=True)
def no_patience(monkeypatch):
    """A reader that finds a table and its checksum in disagreement looks again at once."""
    monkeypatch.setattr(storage, "PATIENCE", (0, 0))


def test_a_table_whose_checksum_comes_a_moment_later_is_read(tmp_path, monkeypatch):
    storage.write_csv(tmp_path / "t.csv", pd.DataFrame({"x": [1]}))
    beside = tmp_path / ".t.csv.sha256"
    text = beside.read_text()
    beside.unlink()
    monkeypatch.setattr(storage.time, "sleep", lambda _: beside.write_text(text))
    assert storage.read_csv(tmp_path / "t.csv", ("x",), "some_rule")["x"].tolist() == [1]


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ETIMEDOUT])
def test_trouble_of_a_network_file_system_is_not_called_damage(tmp_path, monkeypatch, number):
    storage.write_h5(tmp_path / "x.h5", {}, {})
    storage.write_csv(tmp_path / "t.csv", pd.DataFrame({"x": [1]}))
    monkeypatch.setattr(os, "stat", fails_with(number))
    monkeypatch.setattr(Path, "read_bytes", fails_with(number))
    for read in (
        lambda: storage.open_h5(tmp_path / "x.h5", "r").__enter__(),
        lambda: storage.read_csv(tmp_path / "t.csv", (), "r"),
    ):
        with pytest.raises(storage.CannotRead, match="cannot be read now .* The file may be good: run the same command again"):
            read()


def test_a_table_of_other_settings_is_refused_even_with_its_checksum(tmp_path):
    storage.write_csv(tmp_path / "t.csv", pd.DataFrame({"x": [1]}), origin="abc")
    storage.check_origin(tmp_path / "t.csv", "abc")
    with pytest.raises(PipelineError, match=r"t\.csv: was made by other settings"):
        storage.check_origin(tmp_path / "t.csv", "abd")
    done = subprocess.run(["sha256sum", "-c", ".t.csv.sha256"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "t.csv: OK\n", "")


def test_a_table_that_another_job_takes_away_while_it_is_written_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", fails_with(errno.ENOENT))
    storage.write_bytes(tmp_path / "t.csv", b"x")
