"""What counts as a change, and what does not."""

import json
import os
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib import fingerprint, meaning
from pipeline_lib.data.imagefolder import is_image

ROOT = Path(__file__).parents[2]
FILES = {
    "pipeline_lib/__init__.py": "",
    "pipeline_lib/config.py": "LR = 0.1",
    "pipeline_lib/errors.py": "class Wrong(Exception): ...",
    "pipeline_lib/metrics/__init__.py": "import importlib\ndef load(name): return importlib.import_module(name)",
    "pipeline_lib/metrics/norm.py": '"""Says what it does."""\nPOWER = 2\ndef norm(x):\n    return abs(x**POWER)',
    "pipeline_lib/metrics/near.py": "from ..learn import helper\nfrom .norm import norm\ndef score(x): return norm(x)",
    "pipeline_lib/learn/__init__.py": "",
    "pipeline_lib/learn/helper.py": "import pipeline_lib.errors\nSTEPS = 3",
    "pipeline_lib/learn/unused.py": "STEPS = 4",
    "script.py": """\
        from pipeline_lib.config import LR
        from pipeline_lib.learn import helper
        from pipeline_lib.metrics import load
        from pipeline_lib.metrics.norm import norm

        def main(x):
            \"\"\"Run.\"\"\"
            load("pipeline_lib.metrics.near")
            return norm(x) * LR + helper.STEPS
    """,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small package of the library's name, with one script that uses it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    monkeypatch.setattr(fingerprint, "PACKAGE", tmp_path / "pipeline_lib")
    return tmp_path


@pytest.fixture
def kept(project):
    """What is found of the small package is kept in this folder."""
    fingerprint.keep_meanings(project / "new folder")
    return project / "new folder"


def in_another_process(monkeypatch):
    """What this process knows of files is forgotten, and parsing one is an error."""
    fingerprint._meanings.cache_clear()

    def parse(*_, **__):
        raise AssertionError("a file was parsed")

    monkeypatch.setattr(meaning.ast, "parse", parse)


def test_files_that_are_what_they_were_are_not_parsed_again(project, kept, monkeypatch):
    before = fingerprint.code(project / "script.py")
    in_another_process(monkeypatch)
    with pytest.raises(AssertionError, match="a file was parsed"):
        fingerprint.code(project / "script.py")
    fingerprint.keep_meanings(kept)
    assert fingerprint.code(project / "script.py") == before


def test_a_file_of_another_content_is_parsed_whatever_its_date(project, kept, monkeypatch):
    edited = project / "pipeline_lib/metrics/norm.py"
    before, date = fingerprint.code(project / "script.py"), edited.stat().st_mtime_ns
    edited.write_text(edited.read_text().replace("POWER = 2", "POWER = 3"))
    os.utime(edited, ns=(date, date))
    fingerprint._meanings.cache_clear()
    fingerprint.keep_meanings(kept)
    assert fingerprint.code(project / "script.py") != before


@pytest.mark.parametrize("content", ["", "[]", "1", '{"script.py": 1}', '{"script.py": ["x", ["y"]]}', "\0"])
def test_what_is_kept_is_left_aside_where_it_cannot_be_used(project, kept, content):
    before, [file] = fingerprint.code(project / "script.py"), kept.iterdir()
    there = json.loads(file.read_text())
    file.write_text(content)
    fingerprint._meanings.cache_clear()
    fingerprint.keep_meanings(kept)
    assert fingerprint.code(project / "script.py") == before
    assert json.loads(file.read_text()) == there, "and replaced"


def test_what_another_reader_found_does_not_count(project, kept, monkeypatch):
    before, [file] = fingerprint.code(project / "script.py"), kept.iterdir()
    file.write_text(json.dumps({name: [digest, ["wrong", []]] for name, (digest, _) in json.loads(file.read_text()).items()}))
    fingerprint._meanings.cache_clear()
    monkeypatch.setattr(meaning, "READER", "another")
    fingerprint.keep_meanings(kept)
    assert fingerprint.code(project / "script.py") == before
    assert len(list(kept.iterdir())) == 2


def test_nobody_needs_to_be_able_to_write_it_down(project):
    (project / "file").write_text("")
    fingerprint.keep_meanings(project / "file")
    assert fingerprint.code(project / "script.py")


def changes(project, name, old, new, *starts):
    """Whether the fingerprint of the script (or of what is given) changes with a file."""
    starts = starts or (project / "script.py",)
    before = fingerprint.code(*starts)
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))
    fingerprint._meanings.cache_clear()
    return fingerprint.code(*starts) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "helper.STEPS", "helper.STEPS  # a comment"),
        ("script.py", '"""Run."""', '"""Run it, with more words."""'),
        ("script.py", '    """Run."""\n', ""),
        ("script.py", "norm(x) * LR", "(norm( x )*LR)"),
        ("script.py", "def main", "\n\n\ndef main"),
        ("pipeline_lib/metrics/norm.py", "Says what it does.", "Says it better."),
        ("pipeline_lib/metrics/norm.py", "abs(x**POWER)", "abs(\n        x ** POWER\n    )"),
        ("pipeline_lib/config.py", "0.1", "0.2"),
        ("pipeline_lib/learn/unused.py", "4", "5"),
        ("pipeline_lib/metrics/near.py", "return norm(x)", "return -norm(x)"),
    ],
    ids=["comment", "docstring", "no docstring", "formatting", "blank lines", "helper's docstring", "helper's formatting"]
    + ["config", "not imported", "imported by name at run time"],
)
def test_what_cannot_change_a_result_does_not_count(project, name, old, new):
    assert not changes(project, name, old, new)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("script.py", "* LR", "/ LR"),
        ("pipeline_lib/metrics/norm.py", "POWER = 2", "POWER = 3"),
        ("pipeline_lib/learn/helper.py", "STEPS = 3", "STEPS = 4"),
        ("pipeline_lib/metrics/__init__.py", "import_module(name)", "import_module(name.lower())"),
        ("pipeline_lib/errors.py", "Exception", "ValueError"),
    ],
    ids=["script", "from module import function", "from package import module", "package", "helper of a helper"],
)
def test_what_can_change_a_result_counts_wherever_it_is_imported_from(project, name, old, new):
    assert changes(project, name, old, new)


@pytest.mark.parametrize("name", ["pipeline_lib/metrics/norm.py", "pipeline_lib/learn/helper.py"])
def test_relative_imports_are_followed(project, name):
    assert changes(project, name, "=", "= 10 +", "pipeline_lib.metrics.near")


def test_a_module_loaded_by_name_counts_once_it_is_named(project):
    start = project / "script.py"
    assert changes(project, "pipeline_lib/metrics/near.py", "return norm(x)", "return -norm(x)", start, "pipeline_lib.metrics.near")


def test_the_covered_files_can_be_listed(project):
    assert fingerprint.modules(project / "script.py") == [
        "pipeline_lib.errors",
        "pipeline_lib.learn",
        "pipeline_lib.learn.helper",
        "pipeline_lib.metrics",
        "pipeline_lib.metrics.norm",
        "script.py",
    ]


@pytest.mark.parametrize("script", ["train_seed", "train_kernels", "train_connectivity", "sweep", "attack"])
def test_no_training_depends_on_swav(script):
    covered = fingerprint.modules(ROOT / f"workflow/scripts/{script}.py")
    assert "pipeline_lib.learn.models" in covered
    assert not {"pipeline_lib.learn.swav", "pipeline_lib.learn.views"} & set(covered)


def test_touching_does_not_count_and_an_edit_is_seen_in_the_same_process(project):
    script = project / "script.py"
    before = fingerprint.code(script)
    os.utime(script, ns=(1, 1))
    assert fingerprint.code(script) == before
    script.write_text("x = 1")
    os.utime(script, ns=(2, 2))
    assert fingerprint.code(script) != before


def test_the_place_of_the_checkout_does_not_count(project, tmp_path_factory, monkeypatch):
    before = fingerprint.code(project / "script.py")
    elsewhere = tmp_path_factory.mktemp("else where") / "project"
    project.rename(elsewhere)
    monkeypatch.setattr(fingerprint, "PACKAGE", elsewhere / "pipeline_lib")
    assert fingerprint.code(elsewhere / "script.py") == before


def listed(folder):
    return fingerprint.folder(folder, is_image)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.png").write_bytes(b"abc")
    return tmp_path / "images"


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "cat" / "2.png").write_bytes(b"abc"),
        lambda folder: (folder / "cat" / "1.png").write_bytes(b"abcd"),
        lambda folder: (folder / "cat" / "1.png").rename(folder / "cat" / "3.png"),
        lambda folder: (folder / "cat" / "1.png").unlink(),
    ],
    ids=["added", "resized", "renamed", "removed"],
)
def test_a_folder_changes_with_its_files(folder, change):
    before = listed(folder)
    change(folder)
    assert listed(folder) != before


def test_a_folder_does_not_change_when_touched_or_moved(folder):
    before = listed(folder)
    os.utime(folder / "cat" / "1.png", ns=(1, 1))
    assert listed(folder) == before
    assert listed(folder.rename(folder.with_name("elsewhere"))) == before


@pytest.mark.parametrize("name", ["Thumbs.db", ".DS_Store", "notes.txt", ".hidden.png", ".thumbnails/1.png"])
def test_files_that_are_not_read_change_nothing(folder, name):
    before = listed(folder)
    (folder / "cat" / name).parent.mkdir(exist_ok=True)
    (folder / "cat" / name).write_bytes(b"abc")
    assert listed(folder) == before
    (folder / "cat" / "2.PNG").write_bytes(b"abc")
    assert listed(folder) != before


def test_the_code_of_trainings_depends_on_no_reader_of_a_source():
    read = {f"pipeline_lib.data.{name}" for name in ("imagefolder", "cifar", "npz", "digits", "derived", "imbalance", "count")}
    assert not read & set(fingerprint.modules(*fingerprint.TRAINING))
    assert "pipeline_lib.data.dataset" in fingerprint.modules(*fingerprint.TRAINING)


def test_a_class_folder_that_is_a_link_is_followed(folder, tmp_path):
    (tmp_path / "far").mkdir()
    (folder / "dog").symlink_to(tmp_path / "far", target_is_directory=True)
    before = listed(folder)
    (tmp_path / "far" / "1.png").write_bytes(b"abc")
    assert listed(folder) != before


def test_a_missing_folder_has_a_fingerprint_because_its_reader_says_what_is_wrong(tmp_path):
    assert listed(tmp_path / "none") == listed(tmp_path / "neither")


def test_a_zip_changes_with_its_content_and_not_when_touched_or_written_again(tmp_path):
    prints = []
    for n, content in enumerate([b"abc", b"abc", b"abd"]):
        path = tmp_path / f"{n}.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(zipfile.ZipInfo("x.npy", date_time=(2000 + n, 1, 1, 0, 0, 0)), content)
        os.utime(path, ns=(n, n))
        prints.append(fingerprint.zip_directory(path))
    assert prints[0] == prints[1] != prints[2]


def test_a_broken_or_missing_zip_has_a_fingerprint_because_its_reader_says_what_is_wrong(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(100))
    whole = (tmp_path / "a.npz").read_bytes()
    needs_version = whole.rindex(b"PK\x01\x02") + 6  # a number in the directory that no zip library has reached
    from_the_future = whole[:needs_version] + b"\xff" + whole[needs_version + 1 :]
    versions = [whole, whole[:-30], whole[:50], b"", from_the_future, None]
    prints = []
    for n, content in enumerate(versions):
        path = tmp_path / f"{n}.npz"
        if content is not None:
            path.write_bytes(content)
        prints.append(fingerprint.zip_directory(path))
    assert len(set(prints)) == len(versions)


def test_values_differ_by_content_and_not_by_the_order_of_keys():
    assert fingerprint.value({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint.value({"b": {"d": 3, "c": 2}, "a": 1})
    different = [1, "1", 1.0, True, None, [1], [[1]], {"a": 1}, [1, 2], [2, 1]]
    assert len({fingerprint.value(item) for item in different}) == len(different)
    assert fingerprint.value(1, 2) != fingerprint.value([1, 2])


def test_arrays_differ_by_type_shape_and_every_byte():
    base = np.arange(6, dtype=np.int32)
    last_bit = base.copy()
    last_bit[-1] ^= 1
    different = [base, base.astype(np.int64), base.view(np.uint32), base.reshape(2, 3), base.reshape(3, 2), base[::-1], last_bit]
    assert len({fingerprint.array(item) for item in different}) == len(different)
    assert fingerprint.array(base.reshape(2, 3).T) == fingerprint.array(np.ascontiguousarray(base.reshape(2, 3).T))
    assert fingerprint.array(base, base) != fingerprint.array(base)
    assert fingerprint.array(np.zeros((0, 3))) != fingerprint.array(np.zeros((0, 4)))


def test_arrays_of_objects_are_refused_because_only_their_addresses_could_be_hashed():
    with pytest.raises(TypeError, match="objects"):
        fingerprint.array(np.array(["a", None], dtype=object))
