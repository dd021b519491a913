"""The file that a training ends in."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline_lib import storage
from pipeline_lib.config import Recipe, Swav, plain
from pipeline_lib.learn import outcome as module
from pipeline_lib.learn.outcome import Outcome
from pipeline_lib.learn.speed import Speed

CPU, GPU = torch.device("cpu"), torch.device("cuda")
VALUES = {"model": "small_cnn", "epochs": 1, "batch": 8, "optimiser": {"name": "sgd", "lr": 0.1}, "schedule": {"name": "constant"}}
RECIPE = Recipe.model_validate(plain(Recipe.model_validate(VALUES | {"precision": "float32"})))  # as a rule gives it: all of it
SWAV = Swav(precision="float32")
PARAMS = {"origin": "o", "upstream": "u", "code": "c", "study_seed": 0}


@pytest.fixture(autouse=True)
def anywhere(monkeypatch):
    """A GPU needs none to be named, and a product takes no time."""
    monkeypatch.setattr(module.devices, "name", str)
    monkeypatch.setattr(module, "peak", lambda *_: 2e12)


def outcome(path, settings=RECIPE, device=CPU, dataset="d", depends=(1,), age=0.0, **params) -> Outcome:
    return Outcome(str(path), settings, device, dataset, SimpleNamespace(**PARAMS | params), depends=list(depends), age=age)


def finished(path, *parts, **named) -> Outcome:
    """An outcome that was written, its file lost as Snakemake deletes those of a job that it did not see end."""
    made = outcome(path, *parts, **named)
    assert not made.there
    made.write({"loss": np.zeros(3)}, {}, Speed(), 0.0)
    path.unlink()
    return made


def test_a_finished_file_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    finished(path)
    monkeypatch.setattr(module, "peak", None)  # then nothing is measured
    assert outcome(path).there
    with storage.open_h5(path, "") as file:
        assert file["loss"].shape == (3,)


@pytest.mark.parametrize("settings", [RECIPE, SWAV], ids=["recipe", "swav"])
def test_two_kinds_of_processor_name_two_trainings(tmp_path, settings):
    """`precision: auto` is one thing in the settings and another where the job runs."""
    finished(tmp_path / "a.h5", settings)
    assert outcome(tmp_path / "a.h5", settings).there
    (tmp_path / "a.h5").unlink()
    assert not outcome(tmp_path / "a.h5", settings.model_copy(update={"precision": "bfloat16"})).there


@pytest.mark.parametrize("settings", [RECIPE, SWAV], ids=["recipe", "swav"])
def test_a_precision_that_is_not_settled_is_refused(tmp_path, settings):
    with pytest.raises(ValueError, match="settled"):
        outcome(tmp_path / "a.h5", settings.model_copy(update={"precision": "auto"}))


@pytest.mark.parametrize(
    "other",
    [
        {"device": GPU},
        {"dataset": "e"},
        {"depends": (2,)},
        {"upstream": "v"},
        {"code": "e"},
        {"study_seed": 1},
        {"settings": RECIPE.model_copy(update={"epochs": 2})},
    ],
    ids=str,
)
def test_another_training_is_not_taken_for_it(tmp_path, other):
    finished(tmp_path / "a.h5")
    assert not outcome(tmp_path / "a.h5", **other).there


def test_where_it_was_asked_from_is_no_part_of_a_training(tmp_path):
    """A comment or another path changes the origin; the training is the same."""
    finished(tmp_path / "a.h5")
    assert outcome(tmp_path / "a.h5", origin="p").there


def under_way(path, **named) -> Outcome:
    """An outcome whose training has left its state after an epoch, if that is old enough."""
    made = outcome(path, **named)
    made.checkpoint.add("model", lambda: {"weight": np.ones(2)}, lambda state: None)
    made.checkpoint.after(1)
    return made


def test_a_state_is_that_of_this_training_alone(tmp_path):
    under_way(tmp_path / "a.h5")
    for code, epochs in (("e", 0), ("c", 1)):
        again = outcome(tmp_path / "a.h5", code=code)
        again.checkpoint.add("model", dict, lambda state: None)
        assert again.checkpoint.resume() == epochs


def test_a_state_that_is_young_is_not_written(tmp_path):
    assert not under_way(tmp_path / "a.h5", age=1e9).checkpoint.path.exists()


@pytest.mark.parametrize("place", [(storage, "write_h5"), (module.resume, "keep")], ids=["writing", "keeping"])
def test_the_state_stays_until_the_file_is_kept(tmp_path, monkeypatch, place):
    made = under_way(tmp_path / "a.h5")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(*place, full)
    with pytest.raises(OSError, match="no space"):
        made.write({"loss": np.zeros(3)}, {}, Speed(), 0.0)
    assert made.checkpoint.path.exists()


def test_the_file_says_what_it_is_and_how_fast_it_was(tmp_path):
    path = tmp_path / "a.h5"
    made = under_way(path)
    assert made.checkpoint.path.exists()
    speed = Speed(images=10, flops=1e12, compute_seconds=1.0, io_seconds=1.0)
    words = made.write({"loss": np.zeros(3)}, {"seed": 7}, speed, reading=3.0)
    assert not made.checkpoint.path.exists()
    assert words.startswith("10 images/s, 1 TFLOP/s, 50% of the measured peak")
    assert speed.io_seconds > 4, "the file's own writing besides"
    with storage.open_h5(path, "") as file:
        attrs = dict(file.attrs)
    told = [attrs[name] for name in ("dataset", "origin", "code", "study_seed", "seed", "device")]
    assert told == ["d", "o", "c", 0, 7, "cpu"]
    assert (attrs["io_seconds"], attrs["peak_flops_per_second"]) == (4, 2e12)
    assert not math.isnan(attrs["images_per_second"])
    assert json.loads(attrs["recipe"]) == plain(RECIPE)
    assert "settings" not in attrs


def test_what_swav_was_not_told_does_not_stand_in_its_file(tmp_path):
    """The rule leaves out the range of the elbow, which is the clustering's; another one does not make other features."""
    given = {"epochs": 3, "precision": "auto"}
    settings = Swav.model_validate(given).model_copy(update={"precision": "bfloat16"})
    outcome(tmp_path / "a.h5", settings).write({}, {}, Speed(), 0.0)
    with storage.open_h5(tmp_path / "a.h5", "") as file:
        assert json.loads(file.attrs["settings"]) == given | {"precision": "bfloat16"}
        assert "recipe" not in file.attrs
