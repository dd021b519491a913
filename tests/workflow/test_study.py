"""The whole chain on digits: what a finished study holds, what a user's own images need, what bad input gets."""

import re

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline_lib.analyse.sweeps import COLUMNS
from tests.workflow.conftest import CORRELATION, SLIDING_WINDOW

TABLE = "results/digits/sliding_window.csv"


def read_table(project, path=TABLE):
    return pd.read_csv(project.folder / path)


def test_the_table_of_the_sliding_window(finished):
    table = read_table(finished)
    assert list(table.columns) == list(COLUMNS)
    assert table.groupby("metric", sort=False).size().to_dict() == {
        "el2n": 2,
        "forget": 2,
        "km": 2,
        "random": 1,
        "repeated_random": 1,
        "full": 1,
    }
    assert (table["runs"] == 2).all()
    assert table["accuracy_mean"].between(0.2, 1).all()
    assert (table["accuracy_low"] <= table["accuracy_mean"]).all()
    assert table["gain_mean"].notna().tolist() == [True] * 6 + [False, True, False]


def test_a_sweep_says_what_each_run_was(finished):
    runs = read_table(finished, "results/digits/sweeps/sliding_window/el2n.csv")
    assert runs["point"].tolist() == [0, 0, 0.6, 0.6]
    assert runs["seed"].tolist() == [0, 1, 0, 1]
    assert (runs["kept"] == 575).all()
    assert (runs["steps"] == 2 * 5).all()  # epochs, batches
    assert list(runs.columns[-21:-1]) == [f"{what}_{digit}" for what in ("accuracy", "kept") for digit in range(10)]
    assert (runs[[f"kept_{digit}" for digit in range(10)]].sum(axis=1) == runs["kept"]).all()
    stored = list((finished.folder / "results/digits/runs").rglob("*.json"))
    assert set(runs["run"]) <= {path.stem for path in stored}


def test_the_correlation_table_is_square_and_named(finished):
    table = pd.read_csv(finished.folder / "results/digits/correlation_spearman.csv", index_col="metric")
    assert list(table.columns) == list(table.index) == ["el2n", "forget", "forget_raw", "km"]
    assert np.allclose(np.diag(table), 1)


def test_figures_are_pictures(finished):
    for path in (SLIDING_WINDOW, CORRELATION):
        with Image.open(finished.folder / path) as picture:
            assert min(picture.size) > 600


def test_a_score_file_says_where_it_comes_from(finished):
    with h5py.File(finished.folder / "results/digits/scores/el2n.h5") as file:
        assert file["score"].shape == (1438,)
        assert {"metric", "formula", "range", "orientation", "parameters", "dataset", "code", "seeds"} <= set(file.attrs)
        assert file.attrs["orientation"] == "higher = harder"
        assert file.attrs["seeds"] == 2


def test_every_job_left_a_log(finished):
    folder = finished.folder / "results/digits/logs"
    last = {str(path.relative_to(folder)): path.read_text().splitlines()[-1] for path in folder.rglob("*.log")}
    assert len(last) == 2 + 1 + 1 + 4 + 6 + 2
    assert all(" INFO done" in line for line in last.values())
    trained = [line for name, line in last.items() if name.startswith(("train_", "sweep"))]
    assert len(trained) == 2 + 1 + 6
    rates = r"done: [\d,]+ images/s, \S+ TFLOP/s, \d+% of the measured peak; "
    parts = r"time: data \d+%, compute \d+%, evaluation \d+%, files \d+%"
    assert all(re.search(rates + parts, line) for line in trained)


def test_the_same_study_elsewhere_gives_the_same_bytes(finished, tmp_path):
    """Whatever the number of cores and the order of jobs."""
    again = type(finished)(tmp_path)
    done = again.snakemake("--cores", "1", SLIDING_WINDOW, CORRELATION)
    assert done.returncode == 0, done.stdout
    for path in (TABLE, "results/digits/correlation_spearman.csv"):
        assert (again.folder / path).read_bytes() == (finished.folder / path).read_bytes()
    for name in ("el2n", "forget", "km"):
        path = f"results/digits/scores/{name}.h5"
        with h5py.File(again.folder / path) as one, h5py.File(finished.folder / path) as other:
            assert np.array_equal(one["score"][:], other["score"][:])


def test_the_examples_to_keep_are_a_target(project):
    hardest, evenly = (f"results/digits/subsets/el2n_60-100{how}.csv" for how in ("", "_balanced"))
    project.make(hardest, evenly)
    runs = read_table(project, "results/digits/sweeps/sliding_window/el2n.csv")
    [trained] = runs[(runs["point"] == 0.6) & (runs["seed"] == 0)].to_dict("records")
    table = read_table(project, hardest)
    assert table["label"].value_counts().to_dict() == {digit: trained[f"kept_{digit}"] for digit in range(10)}
    assert table["score"].min() >= np.quantile(read_scores(project, "el2n"), 0.6) - 1e-9
    assert set(read_table(project, evenly)["label"].value_counts()) <= {56, 57, 58, 59}


def read_scores(project, metric):
    with h5py.File(project.folder / f"results/digits/scores/{metric}.h5") as file:
        return file["score"][:]


def test_a_folder_of_images_is_a_data_set(copy):
    rng = np.random.default_rng(0)
    for name, level in (("night", 40), ("day", 200)):
        folder = copy.folder / "my photos" / name
        folder.mkdir(parents=True)
        for i in range(30):
            pixels = np.clip(level + rng.normal(0, 30, (20, 26, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    copy.configure(
        **{
            "datasets.mine": {
                "source": "imagefolder",
                "train": "my photos",
                "size": 16,
                "recipes": {"scoring": "scoring", "training": "training"},
                "swav": "quick",
            },
            "recipes.training.batch": 16,
            "swav.quick.batch": 24,
            "swav.quick.epochs": 12,
            "experiments.sliding_window.metrics": ["el2n"],
        }
    )
    copy.make("results/mine/sliding_window.png", "results/mine/scores/el2n.h5")
    assert "prepare_dataset" not in copy.plan("results/mine/sliding_window.png")
    moved = (copy.folder / "my photos").rename(copy.folder / "elsewhere")
    refused = copy.snakemake("--cores", "1", "results/mine/sliding_window.png")
    assert "my photos: no such folder. Put one folder of images per class there" in refused.stdout
    moved.rename(copy.folder / "my photos")
    assert copy.plan("results/mine/sliding_window.png") == set(), "nothing was lost for that"
    Image.fromarray(np.zeros((20, 20, 3), dtype=np.uint8)).save(copy.folder / "my photos/night/new.png")
    done = copy.snakemake("-n", "results/mine/sliding_window.png")
    assert "Prepare the data set mine" in done.stdout, "a picture was added"


def test_a_data_set_with_wrong_labels_is_a_name_like_any_other(copy):
    recipes = {"scoring": "scoring", "training": "training"}
    copy.configure(**{"datasets.noisy": {"base": "digits", "flip_labels": 0.1, "recipes": recipes, "swav": "quick"}})
    copy.make("results/noisy/scores/el2n.h5")
    with h5py.File(copy.folder / "data/noisy/dataset.h5") as file:
        assert (file["train/labels"][:] != file["train/true_labels"][:]).sum() == 144


DYNAMICS, SCORES, SWEEPS = ("results/digits/" + folder for folder in ("dynamics", "scores", "sweeps/sliding_window"))


@pytest.mark.parametrize(
    ("path", "damage", "target", "says"),
    [
        (f"{DYNAMICS}/seed1.h5", "cut", f"{SCORES}/el2n.h5", "seed1.h5: damaged or cut short"),
        (f"{SWEEPS}/km.csv", f"{SWEEPS}/el2n.csv", TABLE, "km.csv: was changed or damaged"),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                ("data/digits/dataset.h5", "cut", f"{SCORES}/el2n.h5", "dataset.h5: damaged or cut short"),
                (
                    f"{DYNAMICS}/seed1.h5",
                    f"{DYNAMICS}/seed0.h5",
                    f"{SCORES}/el2n.h5",
                    "seed1.h5: was made by other settings (data set, recipe, seed or parameters)",
                ),
                (f"{SCORES}/km.h5", f"{SCORES}/el2n.h5", f"{SWEEPS}/km.csv", "km.h5: was made by other settings"),
                (f"{SCORES}/km.h5", f"{SCORES}/x.h5", f"{SWEEPS}/km.csv", "not written by this pipeline"),
                (f"{SWEEPS}/km.csv", "cut", TABLE, "km.csv: was changed or damaged"),
            )
        ),
    ],
)
def test_damaged_files_are_refused_with_their_cure(copy, path, damage, target, says):
    with h5py.File(copy.folder / "results/digits/scores/x.h5", "w") as file:
        file["score"], file["index"] = np.zeros(1438), np.arange(1438)
        file.attrs["dataset"] = "of another data set"
    good = (copy.folder / path).read_bytes()
    (copy.folder / path).write_bytes(good[:9] if path.endswith("csv") else good[: len(good) // 2])
    if damage != "cut":
        (copy.folder / path).write_bytes((copy.folder / damage).read_bytes())
    (copy.folder / target).unlink()
    done = copy.snakemake("--cores", "2", target)
    assert done.returncode != 0
    assert says in done.stdout
    assert f"snakemake --cores 2 {path}" in done.stdout
    (copy.folder / path).unlink()
    copy.make(path, target)


def test_a_config_that_is_not_valid_stops_before_anything_runs(project):
    project.configure(**{"experiments.sliding_window.starts": [0, 0.7]})
    done = project.snakemake("-n", SLIDING_WINDOW)
    assert done.returncode != 0
    assert "experiments.sliding_window" in done.stdout
    assert "0.7 + 0.4 leaves the data" in done.stdout


def test_an_unknown_data_set_is_told_the_known_ones(project):
    done = project.snakemake("-n", "results/nope/sliding_window.png")
    assert done.returncode != 0
    assert "no data set 'nope' under `datasets`; it has digits" in done.stdout


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (
            "results/digits/sweeps/curriculum/repeated_random.csv",
            "curriculum of digits has no baseline repeated_random; it has random",
        ),
        ("results/nope/sweeps/sliding_window/random.csv", "no data set 'nope' under `datasets`; it has digits"),
    ],
)
def test_a_baseline_that_is_none_is_refused_in_words(project, target, says):
    done = project.snakemake("-n", target)
    assert done.returncode != 0
    assert says in done.stdout
    assert "KeyError" not in done.stdout


def test_diverging_training_keeps_finished_results(copy):
    copy.configure(**{"recipes.training.model": "one_conv", "recipes.training.optimiser": {"name": "sgd", "lr": 1.0e8}})
    done = copy.snakemake("--cores", "2", SLIDING_WINDOW)
    assert done.returncode != 0
    assert "training diverged" in done.stdout
    assert "Lower `optimiser.lr`" in done.stdout
    assert (copy.folder / "results/digits/scores/el2n.h5").exists()


def test_an_interrupted_sweep_goes_on_where_it_stopped(copy):
    """Half of a sweep's runs are in the store, its table is not there: only the missing ones are trained."""
    runs = read_table(copy, "results/digits/sweeps/sliding_window/el2n.csv")["run"]
    for run in runs[:2]:
        next((copy.folder / "results/digits/runs").rglob(f"{run}.json")).unlink()
    before = (copy.folder / TABLE).read_bytes()
    for path in ("results/digits/sweeps/sliding_window/el2n.csv", TABLE, SLIDING_WINDOW):
        (copy.folder / path).unlink()
    copy.make(SLIDING_WINDOW, cores=1)  # on a second core a helper might train one of them
    assert "2 of them trained now" in (copy.folder / "results/digits/logs/sweep/sliding_window/el2n.log").read_text()
    assert (copy.folder / TABLE).read_bytes() == before
