"""One command checks a whole tree: every file against its checksum, every result against its data set."""

import json
import os
import time

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import scores, seal, storage
from pipeline_lib.data import dataset as canonical
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.prune.store import FIELDS, RunStore
from pipeline_lib.verify import main

IMAGES, LABELS = np.arange(6 * 4, dtype=np.uint8).reshape(6, 1, 2, 2), np.array([0, 1, 0, 1, 0, 1])
DATA = Dataset(IMAGES, LABELS, IMAGES[:2], LABELS[:2], ["a", "b"], list("abcdef"))
SCORES, TABLE, PICTURE = "results/d/scores/el2n.h5", "results/d/sweeps/window/el2n.csv", "results/d/window.png"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    canonical.write("data/d/dataset.h5", DATA, {})
    scores.write(SCORES, np.arange(6.0), {"dataset": DATA.fingerprint()})
    storage.write_csv(TABLE, pd.DataFrame({"x": [1]}))
    storage.write_bytes(PICTURE, b"picture")
    RunStore("results/d/runs").put(dict.fromkeys(FIELDS, 1) | {"identity": "abcd"})
    (tmp_path / "results/d/logs").mkdir()
    (tmp_path / "results/d/logs/table.csv").write_text("not ours")
    return tmp_path


def lines(capsys):
    return capsys.readouterr().out.splitlines()


def test_a_good_tree(tree, capsys):
    assert main([]) == 0
    assert lines(capsys) == ["5 files checked, 0 bad, 0 left over"]


@pytest.mark.parametrize("path", ["data/d/dataset.h5", SCORES, TABLE, PICTURE, "results/d/runs/ab/abcd.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_named_with_its_cure(tree, capsys, path, damage):
    content = bytearray((tree / path).read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    (tree / path).write_bytes({"flip": content, "cut": content[:-1], "empty": b""}[damage])
    if path.endswith("json") and damage == "cut":
        content[-2] = 0  # only the line's end was cut off: the document is the same
        (tree / path).write_bytes(content)
    assert main([]) == 1
    found, total = lines(capsys)
    assert found.startswith(f"{path}: ")
    assert ("the next sweep trains it again" if path.endswith("json") else f"snakemake --cores 2 {path}") in found
    assert total == "5 files checked, 1 bad, 0 left over"


@pytest.mark.parametrize("damage", ["cut", "another"])
def test_a_network_in_the_run_store(tree, capsys, damage):
    store = RunStore("results/d/runs")
    store.put_model("abcd", {"fc.weight": np.ones(3)})
    assert main([]) == 0
    assert lines(capsys) == ["6 files checked, 0 bad, 0 left over"]
    path = tree / "results/d/runs/ab/abcd.model.h5"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.rename(path.with_name("abce.model.h5"))
    assert main([]) == 1
    [found, _] = lines(capsys)
    name, fault = {"cut": ("abcd", "damaged or cut short"), "another": ("abce", "is the network of another run")}[damage]
    assert found.startswith(f"results/d/runs/ab/{name}.model.h5: {fault}")
    assert found.endswith("the next attack trains it again")


def test_scores_of_another_data_set(tree, capsys):
    scores.write(SCORES, np.arange(6.0), {"dataset": "another"})
    assert main(["results"]) == 1
    assert f"{SCORES}: is outdated: made for other images or labels than data/d/dataset.h5 has now" in lines(capsys)[0]


def test_a_data_set_that_is_not_what_its_fingerprint_says(tree, capsys):
    import h5py

    with h5py.File("data/d/dataset.h5", "r+") as file:
        file["train/images"][0] = 99
    seal.stamp("data/d/dataset.h5")
    assert main([]) == 1
    assert "holds other images or labels than its fingerprint says" in lines(capsys)[0]


def test_a_stale_table_that_was_copied_in_by_hand(tree, capsys):
    (tree / TABLE).write_text("x\n2\n")
    assert main([]) == 1
    assert f"{TABLE}: was changed or damaged" in lines(capsys)[0]


def test_a_run_of_which_one_digit_differs(tree, capsys):
    path = tree / "results/d/runs/ab/abcd.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accuracy": 2}))
    assert RunStore("results/d/runs").get("abcd") is None
    assert main([]) == 1


def test_what_killed_jobs_left_is_told_and_removed_if_asked(tree, capsys):
    half = tree / "results/d/.window.png.host.1.x.tmp"
    state = tree / f"results/d/scores/.{SCORES.split('/')[-1]}.checkpoint"
    needed = tree / "results/d/scores/.other.h5.checkpoint"
    for path in (half, state, needed):
        path.write_text("half")
        os.utime(path, (time.time() - 7200,) * 2)
    young = tree / "results/d/.window.png.host.2.x.tmp"
    young.write_text("perhaps of a job that runs")
    assert main([]) == 0
    assert len(lines(capsys)) == 3
    assert main(["--clean"]) == 0
    assert [path.exists() for path in (half, state, needed, young)] == [False, False, True, True]


def test_a_data_set_may_be_called_like_a_folder_that_is_passed_over(tree, capsys):
    for name in ("logs", "sources"):
        scores.write(f"results/{name}/scores/el2n.h5", np.arange(6.0), {})
        (tree / f"results/{name}/scores/el2n.h5").write_bytes(b"damaged")
    assert main([]) == 1
    assert len(lines(capsys)) == 3


def test_results_on_another_disk_are_checked(tree, capsys, tmp_path):
    (tree / "results/d/scores").rename(tree / "elsewhere")
    (tree / "results/d/scores").symlink_to(tree / "elsewhere")
    (tree / "elsewhere/el2n.h5").write_bytes(b"damaged")
    assert main([]) == 1


def test_a_file_that_goes_or_cannot_be_read_does_not_end_the_check(tree, capsys, monkeypatch):
    read = seal.stamp_fault
    for error, status in ((FileNotFoundError(2, "gone"), 0), (PermissionError(13, "Permission denied"), 1)):

        def trouble(path, error=error):
            if path.name == "el2n.h5":
                raise error
            return read(path)

        monkeypatch.setattr(seal, "stamp_fault", trouble)
        assert main([]) == status
    assert f"{SCORES}: cannot be read (Permission denied)" in "".join(lines(capsys))


def test_a_folder_that_is_not_there(tree, capsys):
    assert main(["nowhere"]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
