"""Runs are identified by what they are, and trained once."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline_lib.config import Recipe
from pipeline_lib.confusion import from_text
from pipeline_lib.errors import Diverged
from pipeline_lib.learn import precision
from pipeline_lib.prune import sweep as sweep_module
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.store import CURVE, FIELDS, VALIDATED, RunStore, identity
from pipeline_lib.prune.sweep import TIMES, Trainer, sweep
from tests.tiny import RECIPE

CPU = torch.device("cpu")
BASE = {
    "dataset": "d",
    "kept": np.arange(5),
    "recipe": {"a": 1},
    "code": "c",
    "study_seed": 0,
    "run_seed": 0,
    "device": "cpu",
    "steps_of": None,
}
HALF, ALL = np.arange(20), np.arange(40)


@pytest.fixture
def trainer(new_trainer):
    return new_trainer()


def without_time(run):
    return {name: value for name, value in run.items() if "second" not in name}


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "e"},
        {"kept": np.arange(6)},
        {"kept": [np.arange(5), np.arange(5)]},
        {"recipe": {"a": 2}},
        {"code": "d"},
        {"study_seed": 1},
        {"run_seed": 1},
        {"device": "cuda"},
        {"steps_of": 10},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_a_training_changes_its_identity(change):
    assert identity(**(BASE | change)) != identity(**BASE)


def test_the_order_of_the_kept_examples_does_not_matter():
    assert identity(**(BASE | {"kept": np.array([4, 2, 0, 1, 3])})) == identity(**BASE)
    assert identity(**(BASE | {"kept": [np.array([1, 0]), np.array([4, 3])]})) == identity(
        **(BASE | {"kept": [np.arange(2), np.arange(3, 5)]})
    )


def test_which_epoch_has_which_examples_matters():
    first, second = np.arange(3), np.arange(5)
    epochs = [[first, second], [second, first], [first, first], [first, first, second], [second, second]]
    assert len({identity(**(BASE | {"kept": kept})) for kept in epochs}) == len(epochs)
    assert identity(**(BASE | {"kept": [first, second]})) == identity(**(BASE | {"kept": [first.copy(), second.astype(np.int32)]}))


def test_the_same_training_is_done_once(trainer):
    table = sweep(trainer, [Planned(0.0, 0, HALF), Planned(0.5, 0, HALF), Planned(0.5, 1, HALF)], "")
    assert trainer.trained == 2
    assert table["run"].nunique() == 2


def test_a_row_holds_the_point_the_run_and_its_classes(trainer):
    table = sweep(trainer, [Planned(0.5, 3, np.array([0, 1, 2, 4, 6, 8, 10, 12]), balanced=True, budget="steps")], "")
    assert list(table.columns) == [
        *("point", "balanced", "budget", "seed", "kept", "steps", "accuracy", "balanced_accuracy"),
        *("seconds", "flops", "run"),
        *("images", "data_seconds", "compute_seconds", "evaluation_seconds", "io_seconds", "peak_flops_per_second"),
        *("accuracy_dark", "accuracy_bright", "kept_dark", "kept_bright", "confusion"),
    ]
    row = table.iloc[0]
    assert (row["point"], row["balanced"], row["budget"], row["seed"]) == (0.5, True, "steps", 3)
    assert (row["kept"], row["kept_dark"], row["kept_bright"]) == (8, 7, 1)
    assert row["steps"] == 2 * 40 / 8, "as many as on all data"
    found = from_text(row["confusion"])
    assert found.sum(axis=1).tolist() == [5, 5]
    assert (np.diag(found) / 5).tolist() == [row["accuracy_dark"], row["accuracy_bright"]]
    assert row["balanced_accuracy"] == pytest.approx(row["accuracy"])
    assert row["accuracy"] == pytest.approx((row["accuracy_dark"] + row["accuracy_bright"]) / 2), "five test images each"


def test_subsets_for_every_epoch_are_drawn_when_it_is_their_turn(trainer):
    drawn = []

    def epochs():
        drawn.append([np.arange(20), np.arange(20, 40)] * (trainer.recipe.epochs // 2))
        return drawn[-1]

    planned = Planned(0.5, 0, epochs)
    assert not drawn
    table = sweep(trainer, [planned, Planned(0.5, 0, HALF)], "")
    assert drawn
    assert table["kept"].tolist() == [20, len(HALF)]
    assert table["steps"].nunique() == 1, "as many as on one subset of that size"
    assert table.loc[0, ["kept_dark", "kept_bright"]].tolist() == [20, 20], "of all examples that it sees"
    assert table["run"].nunique() == 2
    assert trainer.run(planned)["identity"] == trainer.run(Planned(0.5, 0, epochs()))["identity"] == table.loc[0, "run"]
    assert trainer.trained == 2


def test_the_drawn_test_set_is_told_beside_the_whole_one(tiny, tmp_path):
    drawn = replace(tiny, test_drawn=np.array([0, 2, 4, 7]))
    trainer = Trainer(drawn, "drawn", Recipe.model_validate(RECIPE), "code", 0, CPU, RunStore(tmp_path / "drawn"))
    table = sweep(trainer, [Planned(0.5, 0, HALF)], "")
    assert table.columns[-4:].tolist() == ["drawn_accuracy", "drawn_balanced_accuracy", "confusion", "drawn_confusion"]
    row = table.iloc[0]
    whole, part = from_text(row["confusion"]), from_text(row["drawn_confusion"])
    assert (whole.sum(axis=1).tolist(), part.sum(axis=1).tolist()) == ([5, 5], [3, 1])
    assert row["drawn_accuracy"] == np.trace(part) / 4
    assert row["drawn_balanced_accuracy"] == pytest.approx((part[0, 0] / 3 + part[1, 1]) / 2)
    assert sweep(trainer, [Planned(0.5, 0, HALF)], "").equals(table), "the store has kept all of it"


def test_a_curve_ends_with_the_accuracy_of_the_run(trainer):
    kept = [np.arange(16), ALL]
    table = sweep(trainer, [Planned("easiest", 0, kept, budget="steps"), Planned(float("nan"), 0, ALL)], "", curve=True)
    assert [name for name in table.columns if name.startswith("epoch_")] == ["epoch_1", "epoch_2"]
    assert table["epoch_2"].tolist() == table["accuracy"].tolist()
    assert table["kept"].tolist() == [40, 40], "of a curriculum: what its last epoch sees"
    assert table["kept_dark"].tolist() == [20, 20]
    assert table["steps"].tolist() == [10, 10]
    assert table["run"].nunique() == 2


def test_results_do_not_depend_on_the_order_of_work(new_trainer):
    class Watched(Trainer):
        def run(self, planned, *how, **ever):
            order.append(planned.point)
            return super().run(planned, *how, **ever)

    planned = [Planned(start, 0, np.arange(10 * start, 10 * start + 10)) for start in range(4)]
    tables, orders = [], []
    for title in ("el2n", "forget"):
        order = []
        tables.append(sweep(new_trainer(title, Watched), planned, title))
        orders.append(order)
    assert orders[0] != orders[1], "two sweeps that want the same begin elsewhere"
    assert tables[0]["point"].tolist() == [0, 1, 2, 3]
    assert tables[0].drop(columns=[*TIMES]).equals(tables[1].drop(columns=[*TIMES]))


def test_as_many_steps_as_on_all_data_is_another_training_but_not_on_all_data(trainer):
    runs = [trainer.run(Planned(0.5, 0, kept, budget=budget)) for kept in (HALF, ALL) for budget in ("epochs", "steps")]
    assert [run["steps"] for run in runs] == [6, 10, 10, 10]
    assert trainer.trained == 3
    assert runs[2] == runs[3]


def test_arithmetic_is_counted_by_images_seen(trainer):
    epochs, steps = (trainer.run(Planned(0.5, 0, HALF, budget=budget)) for budget in ("epochs", "steps"))
    assert steps["flops"] == 2 * epochs["flops"] > 0, "80 images against 40, though 10 steps against 6"


def test_a_second_process_finds_what_the_first_finished(trainer, new_trainer):
    first, again = trainer.run(Planned(0.5, 0, HALF)), new_trainer()
    assert again.run(Planned(0.1, 0, HALF, balanced=True)) == first, "where it stands in a figure is no part of a training"
    assert again.trained == 0


def test_a_run_without_a_curve_is_trained_again_where_one_is_wanted_and_then_serves_both(trainer):
    plain = trainer.run(Planned(0.5, 0, HALF))
    followed = trainer.run(Planned(0.5, 0, HALF), curve=True)
    assert trainer.trained == 2
    assert CURVE not in plain
    assert len(followed[CURVE]) == RECIPE["epochs"]
    assert without_time(followed) == without_time(plain) | {CURVE: followed[CURVE]}, "looking does not change the training"
    assert trainer.run(Planned(0.5, 0, HALF)) == trainer.run(Planned(0.5, 0, HALF), curve=True) == followed
    assert trainer.trained == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"identity": "x"}', "\xff"])
def test_a_damaged_run_is_trained_again(trainer, tmp_path, damage):
    first = trainer.run(Planned(0.5, 0, HALF))
    [path] = tmp_path.rglob("*.json")
    path.write_text(damage, encoding="latin-1")
    again = trainer.run(Planned(0.5, 0, HALF))
    assert trainer.trained == 2
    assert without_time(again) == without_time(first)


@pytest.fixture
def stored(tmp_path):
    """A store with one run, and that run's file."""
    store = RunStore(tmp_path)
    store.put(dict.fromkeys(FIELDS, 1) | {"identity": "abcd"})
    [path] = tmp_path.rglob("*.json")
    return store, path


def test_a_run_of_another_name_is_not_taken(stored):
    store, path = stored
    assert store.get("abcd") is not None
    path.rename(path.with_name("abce.json"))
    assert store.get("abce") is None
    assert store.get("abcd") is None


@pytest.mark.parametrize("missing", sorted(set(FIELDS) - {"identity"}))
def test_a_run_that_lacks_a_field_of_today_is_not_taken(stored, missing):
    store, path = stored
    path.unlink()
    store.put(dict.fromkeys(set(FIELDS) - {missing}, 1) | {"identity": "abcd"})
    assert store.get("abcd") is None


# ---------------------------------------------------------------------------------------------------------------------
# recipes that are varied


def varied(point, seed=0, held_out=True, **changes):
    """A training by a changed recipe, followed on the last ten examples."""
    recipe = Recipe.model_validate(RECIPE | changes)
    return Planned(point, seed, np.arange(30) if held_out else ALL, recipe=recipe, held_out=np.arange(30, 40) if held_out else None)


def test_a_changed_recipe_is_another_training_and_the_same_one_is_not(trainer):
    own = trainer.run(Planned(0.5, 0, ALL))
    assert trainer.run(varied("none", held_out=False)) == own, "the plain recipe on all data"
    assert trainer.run(varied(16, held_out=False, batch=16))["identity"] != own["identity"]
    assert trainer.trained == 2


@pytest.mark.parametrize("changed", [False, True])
def test_no_store_takes_one_precision_for_the_other(tiny, tmp_path, monkeypatch, changed):
    """`auto` on two kinds of CPU, for the plain recipe and for one that an experiment varies."""
    auto = Recipe.model_validate(RECIPE | {"precision": "auto"})
    wanted = Planned(0.5, 0, HALF, recipe=auto.model_copy(update={"batch": 10}) if changed else None)
    monkeypatch.setattr(precision, "WORTH", 1)
    found = []
    for native in (False, True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda native=native: native)
        trainer = Trainer(tiny, "tiny", auto, "code", 0, CPU, RunStore(tmp_path / "runs"))
        found.append(trainer.run(wanted))
        assert trainer.recipe.precision == found[-1]["precision"]
    single, half, again = found
    assert (single["precision"], half["precision"]) == ("float32", "bfloat16")
    assert single["identity"] != half["identity"]
    assert again == single, "taken from the store"


def test_variants_of_a_recipe_are_in_one_precision_and_each_beside_the_peak_of_its_own(tiny, tmp_path, monkeypatch):
    """A batch that alone would settle otherwise must not change the precision along a curve."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(sweep_module, "peak", lambda device, kind: {"float32": 1.0, "bfloat16": 2.0}[kind])
    auto = Recipe.model_validate(RECIPE | {"precision": "auto"})
    monkeypatch.setattr(precision, "WORTH", precision._operations(auto, tiny))
    trainer = Trainer(tiny, "tiny", auto, "code", 0, CPU, RunStore(tmp_path / "runs"))
    changes = [{}, {"batch": 4}, {"precision": "float32"}]
    runs = [trainer.run(Planned(0.5, 0, HALF, recipe=auto.model_copy(update=change))) for change in changes]
    assert [run["precision"] for run in runs] == ["bfloat16", "bfloat16", "float32"]
    assert [run["peak_flops_per_second"] for run in runs] == [2, 2, 1]


def test_a_followed_run_keeps_its_losses_and_what_it_got_right_at_the_end(trainer):
    run = trainer.run(varied("a", epochs=3))
    assert len(run["train_loss"]) == len(run["validation_loss"]) == 3
    dark, bright = run["validation_class_accuracy"]
    assert run["validation_accuracy"] == pytest.approx((dark + bright) / 2), "five held-out examples each"
    assert run["kept"] == 30
    assert set(run) >= {*FIELDS, *VALIDATED}


def test_following_on_held_out_examples_changes_nothing_in_the_training(trainer):
    plain = trainer.run(Planned(0.5, 0, np.arange(30)))
    followed = trainer.run(varied("a"))
    assert trainer.trained == 2, "the first lacks what the second is asked for"
    assert {name: value for name, value in without_time(followed).items() if name not in VALIDATED} == without_time(plain)
    assert trainer.run(Planned(0.5, 0, np.arange(30))) == followed
    assert trainer.trained == 2


def test_held_out_accuracy_and_loss_are_those_of_the_final_model(tiny):
    from pipeline_lib.learn.feed import Data, Seeds
    from pipeline_lib.learn.train import loss_and_accuracy, predict, train
    from pipeline_lib.prune.validate import Validation

    recipe, held_out = Recipe.model_validate(RECIPE), np.arange(30, 40)
    data = Data(tiny, recipe, CPU)
    watching = Validation(data, recipe, held_out)
    done = train(data, np.arange(30), recipe, Seeds(0, "training", 0), after_epoch=watching.after_epoch)
    logits = predict(done.model, data.train, recipe, torch.from_numpy(held_out))
    loss, accuracy = loss_and_accuracy(logits, data.train_labels[held_out])
    assert watching.found()["validation_loss"][-1] == loss
    assert watching.found()["validation_accuracy"] == pytest.approx(accuracy)
    again = Validation(data, recipe, held_out)
    again.restore(watching.state())
    assert again.found()["validation_loss"] == watching.found()["validation_loss"], "across an interruption"


def test_rows_of_varied_runs_hold_held_out_accuracies_and_losses_of_as_many_epochs_as_each_has(trainer):
    table = sweep(trainer, [varied(1, epochs=1), varied(2, epochs=2)], "")
    assert list(table.columns[-9:]) == [
        *("validation_accuracy", "validation_balanced_accuracy", "validation_accuracy_dark", "validation_accuracy_bright"),
        *("train_loss_1", "validation_loss_1", "diverged", "train_loss_2", "validation_loss_2"),
    ]
    assert table["validation_loss_2"].isna().tolist() == [True, False]
    assert table["diverged"].tolist() == [False, False]


def test_a_value_at_which_training_diverges_is_told_and_the_others_are_trained(trainer):
    wild = {"model": "one_conv", "optimiser": {"name": "sgd", "lr": 1e20}, "normalise": "none"}
    table = sweep(trainer, [varied("wild", **wild), varied("mild")], "")
    assert table["diverged"].tolist() == [True, False]
    assert table["accuracy"].isna().tolist() == [True, False]
    assert table["kept"].tolist() == [30, 30]
    with pytest.raises(Diverged, match="training diverged"):
        trainer.run(varied("wild", **wild))


def test_each_recipe_sees_the_images_as_it_normalises_them(new_trainer):
    """Trained one after the other by one trainer, or each by a fresh one."""
    changes = ({"normalise": "none"}, {}, {"normalise": {"mean": [0.1], "std": [2.0]}})
    together = new_trainer("together")
    runs = [together.run(varied(number, **change)) for number, change in enumerate(changes)]
    alone = [new_trainer(f"alone{number}").run(varied(number, **change)) for number, change in enumerate(changes)]
    assert [without_time(run) for run in runs] == [without_time(run) for run in alone]
    assert len({run["train_loss"][0] for run in runs}) == 3
