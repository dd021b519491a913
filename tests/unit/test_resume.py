"""An interrupted training goes on from its state and ends with the same bits; a finished one is not repeated."""

import os

import numpy as np
import pytest
import torch

from pipeline_lib import resume, storage
from pipeline_lib.config import Recipe, Swav
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.learn.feed import Data, Seeds
from pipeline_lib.learn.record import record
from pipeline_lib.learn.swav import train_swav
from pipeline_lib.learn.train import train
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer
from pipeline_lib.resume import Checkpoint

CPU, EPOCHS = torch.device("cpu"), 6
SCHEDULES = {
    "onecycle": {"name": "onecycle"},
    "plateau": {"name": "plateau", "patience": 0, "validation": 0.2},
    "steps": {"name": "steps", "epochs": [2, 4], "factor": 0.5},
}
OPTIMISERS = {"sgd": {"name": "sgd", "lr": 0.05, "nesterov": True}, "adam": {"name": "adam", "lr": 0.01, "weight_decay": 0.01}}


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    images = (rng.integers(0, 100, size=(60, 1, 12, 12)) + 50 * labels[:, None, None, None]).astype(np.uint8)
    return Dataset(images, labels, images[:12], labels[:12], ["a", "b", "c"], [str(i) for i in range(60)])


def recipe_of(schedule="onecycle", optimiser="sgd"):
    augmentation = {"crop_padding": 1, "flip": True, "rotation": 10}
    common = {"model": "small_cnn", "width": 4, "epochs": EPOCHS, "batch": 16, "augmentation": augmentation, "precision": "float32"}
    return Recipe.model_validate(common | {"optimiser": OPTIMISERS[optimiser], "schedule": SCHEDULES[schedule]})


def stop_after(epoch):
    def look(done, _model):
        if done == epoch:
            raise Interrupted

    return look


def weights(trained):
    return {name: tensor.clone() for name, tensor in trained.model.state_dict().items()}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("stopped", [1, 4])
@pytest.mark.parametrize("steps_of", [None, 60])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, dataset, schedule, optimiser, stopped, steps_of):
    recipe, seeds, kept = recipe_of(schedule, optimiser), Seeds(0, "training", 1), np.arange(7, 47)
    data = Data(dataset, recipe, CPU)
    whole = train(data, kept, recipe, seeds, steps_of)
    with pytest.raises(Interrupted):
        train(data, kept, recipe, seeds, steps_of, stop_after(stopped), Checkpoint(tmp_path / "run", "id", 0))
    seen = []
    again = Checkpoint(tmp_path / "run", "id", 0)
    resumed = train(data, kept, recipe, seeds, steps_of, lambda epoch, _: seen.append(epoch), again)
    assert seen == list(range(stopped, EPOCHS)), "it was stopped at the end of an epoch, before its state was kept"
    one, other = weights(whole), weights(resumed)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (resumed.train_loss, resumed.steps, resumed.speed.images) == (whole.train_loss, whole.steps, whole.speed.images)
    assert str(resumed.validation_loss) == str(whole.validation_loss)


def test_a_curriculum_goes_on_with_the_examples_of_its_epoch(tmp_path, dataset):
    recipe, seeds = recipe_of(), Seeds(0, "training", 1)
    data, kept = Data(dataset, recipe, CPU), [np.arange(30)] * 3 + [np.arange(60)] * 3
    whole = train(data, kept, recipe, seeds, 60)
    with pytest.raises(Interrupted):
        train(data, kept, recipe, seeds, 60, stop_after(3), Checkpoint(tmp_path / "run", "id", 0))
    resumed = train(data, kept, recipe, seeds, 60, None, Checkpoint(tmp_path / "run", "id", 0))
    assert all(torch.equal(one, other) for one, other in zip(weights(whole).values(), weights(resumed).values(), strict=True))


@pytest.mark.parametrize("balance", ["sampler", "weighted_loss"])
def test_balanced_trainings_go_on_where_they_were(tmp_path, dataset, balance):
    recipe, seeds = recipe_of().model_copy(update={"balance": balance}), Seeds(0, "training", 1)
    data, kept = Data(dataset, recipe, CPU), np.flatnonzero((np.arange(60) % 3 == 1) | (np.arange(60) % 9 == 2))
    whole = train(data, kept, recipe, seeds)
    with pytest.raises(Interrupted):
        train(data, kept, recipe, seeds, None, stop_after(3), Checkpoint(tmp_path / "run", "id", 0))
    resumed = train(data, kept, recipe, seeds, None, None, Checkpoint(tmp_path / "run", "id", 0))
    assert all(torch.equal(tensor, weights(whole)[name]) for name, tensor in weights(resumed).items())


@pytest.mark.parametrize("stopped", [1, 3])
def test_the_records_of_an_interrupted_ensemble_member_are_the_same(tmp_path, dataset, monkeypatch, stopped):
    recipe, seeds = recipe_of(), Seeds(0, "scoring", 0)
    data = Data(dataset, recipe, CPU)
    whole = record(data, recipe, seeds)
    checkpoint, after = Checkpoint(tmp_path / "seed0.h5", "id", 0), Checkpoint.after

    def stop(self, epochs):
        after(self, epochs)
        if epochs == stopped:
            raise Interrupted

    monkeypatch.setattr(Checkpoint, "after", stop)
    with pytest.raises(Interrupted):
        record(data, recipe, seeds, checkpoint)
    monkeypatch.undo()
    resumed = record(data, recipe, seeds, Checkpoint(tmp_path / "seed0.h5", "id", 0))
    for name, array in whole.arrays.items():
        assert np.array_equal(array, resumed.arrays[name]), name
    for name, curve in whole.curves.items():
        assert np.array_equal(curve, resumed.curves[name], equal_nan=True), name


def test_swav_goes_on_to_the_same_features(tmp_path, dataset, monkeypatch):
    settings = Swav(
        precision="float32", epochs=5, batch=16, width=4, hidden=8, projection=4, prototypes=5, lr=0.02, log_every=2, rotation=10
    )
    monkeypatch.setattr("pipeline_lib.learn.swav.STUCK", 2)  # too short to learn anything: only the bits count
    monkeypatch.setattr("pipeline_lib.learn.swav.FEWEST_USED", 0)
    whole = train_swav(dataset, settings, 0, CPU)
    after = Checkpoint.after

    def stop(self, epochs):
        after(self, epochs)
        if epochs == 3:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "after", stop)
        with pytest.raises(Interrupted):
            train_swav(dataset, settings, 0, CPU, Checkpoint(tmp_path / "swav.h5", "id", 0))
    resumed = train_swav(dataset, settings, 0, CPU, Checkpoint(tmp_path / "swav.h5", "id", 0))
    for name in ("features", "prototypes", "loss", "knn_epochs", "knn_accuracy"):
        assert np.array_equal(getattr(whole, name), getattr(resumed, name)), name


def test_an_interrupted_run_of_a_sweep_follows_its_curve_from_where_it_was(tmp_path, dataset, monkeypatch):
    recipe, planned = recipe_of(), Planned(0.5, 0, np.arange(40))

    def trainer(folder):
        return Trainer(dataset, "d", recipe, "code", 0, CPU, RunStore(tmp_path / folder), checkpoint_seconds=0)

    whole = trainer("whole").run(planned, curve=True)
    after = Checkpoint.after

    def stop(self, epochs):
        after(self, epochs)
        if epochs == 4:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "after", stop)
        with pytest.raises(Interrupted):
            trainer("stopped").run(planned, curve=True)
    [state] = (tmp_path / "stopped").rglob(".*.checkpoint")
    resumed = trainer("stopped").run(planned, curve=True)
    assert not state.exists()
    assert {k: v for k, v in resumed.items() if "second" not in k} == {k: v for k, v in whole.items() if "second" not in k}


def a_part(values):
    return lambda: {"x": np.array(values)}, lambda state: values.__setitem__(slice(None), state["x"].tolist())


def test_a_state_of_another_training_is_not_taken(tmp_path):
    values = [1, 2]
    checkpoint = Checkpoint(tmp_path / "run", "one", 0)
    checkpoint.add("part", *a_part(values))
    checkpoint.after(3)
    values[:] = [0, 0]
    for identity, name in (("two", "part"), ("one", "another part")):
        other = Checkpoint(tmp_path / "run", identity, 0)
        other.add(name, *a_part(values))
        assert other.resume() == 0
    assert values == [0, 0]
    again = Checkpoint(tmp_path / "run", "one", 0)
    again.add("part", *a_part(values))
    assert again.resume() == 3
    assert values == [1, 2]


@pytest.mark.parametrize("position", [0, 100, 600, 2000, -1])
def test_a_damaged_state_is_not_taken(tmp_path, position):
    checkpoint = Checkpoint(tmp_path / "run", "one", 0)
    checkpoint.add("part", *a_part([1, 2]))
    checkpoint.after(3)
    content = bytearray(checkpoint.path.read_bytes())
    content[position] ^= 255
    checkpoint.path.write_bytes(content)
    assert checkpoint.resume() == 0


def test_a_state_is_written_when_the_last_one_is_too_old(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(resume.time, "monotonic", lambda: now[0])
    checkpoint = Checkpoint(tmp_path / "run", "one", 60)
    checkpoint.add("part", *a_part([1]))
    written = []
    for epoch in range(1, 8):
        now[0] += 25
        checkpoint.path.unlink(missing_ok=True)
        checkpoint.after(epoch)
        written.append(checkpoint.path.exists())
    assert written == [False, False, True, False, False, True, False]


def test_a_state_that_cannot_be_read_now_is_not_trained_over(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "run", "one", 0)
    checkpoint.add("part", *a_part([1]))
    checkpoint.after(3)
    monkeypatch.setattr(os, "stat", lambda *_: (_ for _ in ()).throw(OSError(116, "Stale file handle")))
    with pytest.raises(storage.CannotRead):
        checkpoint.resume()


@pytest.mark.parametrize("number", [28, 5, 116])
def test_a_disk_that_takes_no_state_does_not_stop_a_training(tmp_path, monkeypatch, caplog, number):
    checkpoint = Checkpoint(tmp_path / "run", "one", 0)
    checkpoint.add("part", *a_part([1]))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(number, "trouble")))
    checkpoint.after(1)
    assert "no checkpoint: " in caplog.text


def test_a_finished_file_that_was_deleted_comes_back(tmp_path):
    path = tmp_path / "seed0.h5"
    storage.write_h5(path, {"x": np.arange(5)}, {"identity": "one"})
    before = path.read_bytes()
    resume.keep(path)
    path.unlink()
    assert not resume.take_back(path, "two")
    assert not path.exists()
    assert resume.take_back(path, "one")
    assert path.read_bytes() == before
    assert not resume.take_back(tmp_path / "seed1.h5", "one")


def test_a_finished_file_that_was_damaged_does_not_come_back(tmp_path):
    path = tmp_path / "seed0.h5"
    storage.write_h5(path, {"x": np.arange(5)}, {"identity": "one"})
    resume.keep(path)
    content = bytearray(path.read_bytes())
    content[700] ^= 1
    with open(path, "rb+") as file:  # in place, as a disk would do it: both names lead there
        file.write(content)
    assert not resume.take_back(path, "one")


def test_a_new_file_replaces_the_one_that_was_kept(tmp_path):
    path = tmp_path / "seed0.h5"
    for identity in ("one", "two"):
        storage.write_h5(path, {"x": np.arange(5)}, {"identity": identity})
        resume.keep(path)
    path.unlink()
    assert not resume.take_back(path, "one")
    assert resume.take_back(path, "two")


def test_without_hard_links_nothing_is_kept_and_nothing_fails(tmp_path, monkeypatch):
    path = tmp_path / "seed0.h5"
    storage.write_h5(path, {"x": np.arange(5)}, {"identity": "one"})
    resume.keep(path)
    with monkeypatch.context() as patch:  # copied to such a file system
        patch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
        assert not resume.take_back(path, "one")
    assert path.exists()
    (tmp_path / ".seed0.h5.finished").unlink()
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    resume.keep(path)
    assert [file.name for file in tmp_path.iterdir()] == ["seed0.h5"]
