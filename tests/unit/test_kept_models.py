"""Networks in the run store: kept on request only, whole or absent, and never needed for a run to be good."""

import h5py
import numpy as np
import pytest
import torch

from pipeline_lib import seal, storage
from pipeline_lib.config import MODELS, Recipe
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import models
from pipeline_lib.learn.feed import Data
from pipeline_lib.learn.train import predict
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.store import MODEL, RunStore
from pipeline_lib.prune.sweep import sweep
from tests.tiny import RECIPE

CPU = torch.device("cpu")
HALF = Planned(0.5, 0, np.arange(20))


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def without_time(run):
    return {name: value for name, value in run.items() if "second" not in name}


def test_no_network_is_kept_unless_it_is_asked_for(new_trainer, tmp_path):
    run = new_trainer().run(HALF)
    sweep(new_trainer(), [HALF], "")
    assert files(tmp_path) == [f"{run['identity']}.json"]


def test_the_network_comes_back_as_it_was_trained(new_trainer, tiny, tmp_path):
    run, model = new_trainer().model(HALF)
    again, found = new_trainer().model(HALF)
    assert again == run
    state, kept = model.state_dict(), found.state_dict()
    assert list(state) == list(kept)
    assert all(torch.equal(state[name], kept[name]) and state[name].dtype == kept[name].dtype for name in state)
    assert any("running_var" in name for name in kept), "what batch normalisation has measured belongs to it"
    data = Data(tiny, Recipe.model_validate(RECIPE), CPU)
    right = predict(found, data.test, Recipe.model_validate(RECIPE)).argmax(dim=1) == data.test_labels
    assert right.double().mean().item() == run["accuracy"]
    [path] = tmp_path.rglob(f"*{MODEL}")
    assert run["model_bytes"] == path.stat().st_size > 1000


def test_it_is_trained_once(new_trainer):
    first, second = new_trainer(), new_trainer()
    run, _ = first.model(HALF)
    second.model(HALF)
    assert (first.trained, second.trained) == (1, 0)
    third = new_trainer()
    assert third.run(HALF) == {name: value for name, value in run.items() if name != "model_bytes"}
    assert third.trained == 0, "a run with a network serves who does not ask for it"


def test_a_run_without_its_network_is_trained_again_for_who_asks_and_stays_the_same(new_trainer, tmp_path):
    plain = new_trainer().run(HALF, curve=True)
    trainer = new_trainer()
    run, _ = trainer.model(HALF)
    assert trainer.trained == 1
    assert without_time(run).items() <= (without_time(plain) | {"model_bytes": run["model_bytes"]}).items()
    assert new_trainer().run(HALF, curve=True) == plain, "the first stays, with its curve"
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "another", "gone"])
def test_a_network_that_is_damaged_or_of_another_run_is_as_good_as_none(new_trainer, tmp_path, damage):
    _, model = new_trainer().model(HALF)
    [path] = tmp_path.rglob(f"*{MODEL}")
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    if damage == "another":
        with h5py.File(path, "r+") as file:
            file.attrs["identity"] = "of another run"
        seal.stamp(path)
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"flip": content, "cut": content[:-1], "empty": b""}[damage])
    trainer = new_trainer()
    _, again = trainer.model(HALF)
    assert trainer.trained == 1
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))
    assert new_trainer().run(HALF)["identity"] + MODEL in files(tmp_path)


def test_a_network_that_this_user_cannot_read_is_not_trained_over(new_trainer, monkeypatch):
    new_trainer().model(HALF)

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(seal, "stamp_fault", forbidden)
    with pytest.raises(storage.CannotRead, match=r"model\.h5: cannot be read by this user"):
        new_trainer().model(HALF)


def test_a_store_that_is_deleted_meanwhile_is_said_in_words(new_trainer, monkeypatch):
    trainer = new_trainer()
    monkeypatch.setattr(RunStore, "model", lambda *_: None)
    with pytest.raises(PipelineError, match=r"the run store has lost the network of run \w+\. Run the same command again"):
        trainer.model(HALF)


@pytest.mark.parametrize("name", MODELS.__args__)
def test_every_kind_of_network_survives_the_file(name, tmp_path):
    store, model = RunStore(tmp_path), models.build(name, 1, 8, 3, 4, seed=0)
    store.put_model("abcd", models.state(model))
    other = models.build(name, 1, 8, 3, 4, seed=1)
    models.restore(other, store.model("abcd"))
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
