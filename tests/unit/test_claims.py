"""Processes that want the same trainings at the same time each do others first, and none twice."""

import contextlib
import multiprocessing
import os
import signal

import numpy as np
import pytest

from pipeline_lib.errors import Diverged
from pipeline_lib.prune import store as store_module
from pipeline_lib.prune import sweep as sweep_module
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer, assist, sweep
from tests.forks import wait_until

KEY, OTHER = "0123456789abcdef", "0123456789abcdee"
FORKS = multiprocessing.get_context("fork")


def hold(folder, key: str, parent) -> None:
    with RunStore(folder).claim(key, 60):
        parent.send("claimed")
        parent.poll(60)


@contextlib.contextmanager
def claiming(folder, key: str):
    """A process that claims a training; yields it and the connection on which it says so, and lets go when it hears anything."""
    here, there = FORKS.Pipe()
    process = FORKS.Process(target=hold, args=(folder, key, there))
    process.start()
    yield process, here
    with contextlib.suppress(OSError):
        here.send("let go")
    process.join(60)


@contextlib.contextmanager
def claimed_elsewhere(folder, key: str):
    with claiming(folder, key) as (process, connection):
        assert connection.recv() == "claimed"
        yield process, connection


def is_free(store: RunStore, key: str) -> bool:
    with store.claim(key, 0) as mine:
        return mine


def test_what_another_process_does_is_not_claimed_and_all_else_is(tmp_path):
    store = RunStore(tmp_path / "runs")
    with claimed_elsewhere(tmp_path / "runs", KEY) as (_, process):
        assert not is_free(store, KEY)
        assert is_free(store, OTHER)
        assert is_free(RunStore(tmp_path / "other runs"), KEY)
        process.send("let go")
        with store.claim(KEY, 60) as mine:
            assert mine


def test_the_same_store_by_another_path_is_the_same(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    with claimed_elsewhere(tmp_path / "runs", KEY):
        assert not is_free(RunStore("runs"), KEY)
        assert not is_free(RunStore(tmp_path / "link/runs"), KEY)


def test_a_process_that_dies_claims_nothing(tmp_path):
    with claimed_elsewhere(tmp_path, KEY) as (process, _):
        os.kill(process.pid, signal.SIGKILL)
        assert wait_until(lambda: is_free(RunStore(tmp_path), KEY))


def test_who_may_wait_waits(tmp_path):
    with claimed_elsewhere(tmp_path, KEY) as (_, first), claiming(tmp_path, KEY) as (_, second):
        assert not second.poll(0.3)
        first.send("let go")
        assert second.poll(60)


def test_patience_has_an_end(tmp_path):
    with claimed_elsewhere(tmp_path, KEY), RunStore(tmp_path).claim(KEY, 0.2) as mine:
        assert not mine


def test_where_the_system_has_no_such_names_everybody_does_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_takes", lambda claim, name, real=store_module._takes: real(claim, "/no such/folder"))
    assert is_free(RunStore(tmp_path), KEY)


def test_nothing_is_left_on_the_disk(tmp_path):
    with RunStore(tmp_path / "runs").claim(KEY, 0):
        assert list(tmp_path.iterdir()) == []


PLANNED = [Planned(start, 0, np.arange(10 * start, 10 * start + 10)) for start in range(4)]


@pytest.fixture
def first_elsewhere(new_trainer, tmp_path):
    """The identity of the training that sweeps would begin with, which another process claims."""
    keys = [new_trainer("elsewhere").run(plan)["identity"] for plan in PLANNED]
    first = sweep_module.generator("order of work", "el2n").permutation(len(PLANNED))[0]
    with claimed_elsewhere(tmp_path / "runs", keys[first]) as (_, process):
        yield keys[first], process


def test_a_sweep_comes_back_to_what_another_process_does_and_takes_it_from_there(
    new_trainer, first_elsewhere, tmp_path, monkeypatch
):
    key, process = first_elsewhere
    trainer, elsewhere = new_trainer(), RunStore(tmp_path / "elsewhere").get(key)

    def train(*args, real=trainer._train):
        if trainer.trained == 2:  # the last that nobody else does
            RunStore(tmp_path / "runs").put(elsewhere)
            process.send("let go")
        return real(*args)

    monkeypatch.setattr(trainer, "_train", train)
    table = sweep(trainer, PLANNED, "el2n")
    assert trainer.trained == 3
    assert table["point"].tolist() == [0, 1, 2, 3]
    assert table.set_index("run")["seconds"][key] == elsewhere["seconds"]


def test_what_another_process_does_not_bring_to_an_end_is_trained_after_all(new_trainer, first_elsewhere, monkeypatch):
    _, process = first_elsewhere
    trainer = new_trainer()

    def train(*args, real=trainer._train):
        process.send("let go")
        return real(*args)

    monkeypatch.setattr(trainer, "_train", train)
    assert len(sweep(trainer, PLANNED, "el2n")) == trainer.trained == 4


def test_who_is_stopped_while_it_trains_is_not_waited_for_for_ever(new_trainer, first_elsewhere, monkeypatch):
    for name in ("PATIENCE", "PATIENT"):
        monkeypatch.setattr(sweep_module, name, 0)
    trainer = new_trainer()
    assert len(sweep(trainer, PLANNED, "el2n")) == trainer.trained == 4


def test_a_helper_does_what_nobody_else_does_and_waits_for_nobody(new_trainer, first_elsewhere, tmp_path):
    key, _ = first_elsewhere
    trainer = new_trainer()
    assist(trainer, PLANNED, "el2n")
    assert trainer.trained == 3
    assert RunStore(tmp_path / "runs").get(key) is None


def test_a_helper_of_other_code_than_its_sweep_trains_nothing(new_trainer):
    """It would say of what it has trained that the old code did."""
    trainer = new_trainer(code="before an edit")
    assist(trainer, PLANNED, "el2n")
    assert trainer.trained == 0


def test_a_helper_begins_where_its_sweep_ends(new_trainer):
    class Watched(Trainer):
        def run(self, planned, *how, **ever):
            order.append(planned.point)
            return super().run(planned, *how, **ever)

    orders = []
    for work in (sweep, assist):
        order = []
        work(new_trainer(work.__name__, Watched), PLANNED, "el2n")
        orders.append(order)
    assert orders[1] == orders[0][::-1]


def test_a_training_that_diverges_is_left_to_the_sweep_and_the_others_are_done(new_trainer, monkeypatch):
    trainer = new_trainer()

    def train(planned, *args, real=trainer._train):
        if planned.point == 1:
            raise Diverged("the loss is inf")
        return real(planned, *args)

    monkeypatch.setattr(trainer, "_train", train)
    assist(trainer, PLANNED, "el2n")
    assert trainer.trained == 3
    with pytest.raises(Diverged):
        sweep(trainer, PLANNED, "el2n")
