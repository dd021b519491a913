"""What is computed from trainings with changed recipes, by hand: choices, intervals, differences, diverged trainings."""

import numpy as np
import pandas as pd
import pytest

from pipeline_lib.analyse.imbalance import COLUMNS, compare
from pipeline_lib.analyse.recipe_values import chosen, losses, values

NAMES = ["cat", "dog"]
T95 = 12.706204736432095  # two-sided 95% of Student's t with one degree of freedom
NAN = float("nan")


def run(point, seed, validation, test, epochs=(0.5, 0.4), diverged=False):
    """A row: accuracies are (cat, dog), losses are by epoch; three times as many cats as dogs."""
    row = {"point": point, "balanced": False, "budget": "epochs", "seed": seed, "kept": 8, "diverged": diverged}
    if diverged:
        return row
    for prefix, (cat, dog) in (("validation_", validation), ("", test)):
        shares = {f"{prefix}accuracy_cat": cat, f"{prefix}accuracy_dog": dog, f"{prefix}balanced_accuracy": (cat + dog) / 2}
        row |= {f"{prefix}accuracy": (3 * cat + dog) / 4} | shares
    for epoch, loss in enumerate(epochs, 1):
        row |= {f"train_loss_{epoch}": loss / 2, f"validation_loss_{epoch}": loss}
    return row


def sweep(*rows):
    return pd.DataFrame(rows)


RATES = sweep(
    run(0.1, 0, (0.9, 0.3), (1.0, 0.8)),
    run(0.1, 1, (0.9, 0.5), (1.0, 1.0)),
    run(0.01, 0, (0.8, 0.6), (0.6, 0.5)),
    run(0.01, 1, (0.8, 0.6), (0.6, 0.5)),
)


def table(**sweeps):
    own = {"rate": 0.1, "batch": 8}
    return values(sweeps, {key: own.get(key) for key in sweeps}, NAMES).set_index(["key", "value"])


def test_the_value_is_chosen_by_the_mean_of_the_classes_on_held_out_examples_and_never_by_the_test_set():
    found = table(rate=RATES)
    assert found["chosen"].to_dict() == {("rate", 0.01): True, ("rate", 0.1): False}
    assert found["validation_mean"].tolist() == pytest.approx([0.7, 0.65])
    assert found["test_mean"].tolist() == pytest.approx([0.55, 0.95]), "the other is far better on the test set"
    assert RATES["validation_accuracy"].groupby(RATES["point"]).mean().idxmax() == 0.1, "and by the held-out accuracy of all images"


def test_what_the_test_set_says_changes_no_choice():
    other = RATES.assign(balanced_accuracy=[0, 0, 1, 1], accuracy=0.5, accuracy_cat=0.1, accuracy_dog=0.3)
    assert table(rate=other)["chosen"].tolist() == table(rate=RATES)["chosen"].tolist()


def test_intervals_and_differences_by_hand():
    row = table(rate=RATES).loc[("rate", 0.1)]
    # test: .9 and 1; standard deviation .0707, over the root of two .05
    assert row["test_mean"] == pytest.approx(0.95)
    assert row["test_low"] == pytest.approx(0.95 - T95 * 0.05)
    assert row["test_high"] == 1, "no share is above 1"
    assert row["test_cat_mean"] == 1
    assert np.isnan([row["test_cat_low"], row["test_cat_high"]]).all(), "both runs are right about every cat"
    assert row["test_accuracy_mean"] == pytest.approx((3 + 0.9) / 4)
    gain = table(rate=RATES).loc[("rate", 0.01)]
    # against the recipe's own .1: -.35 and -.45
    assert gain["gain_mean"] == pytest.approx(-0.4)
    assert (gain["gain_low"], gain["gain_high"]) == pytest.approx((-0.4 - T95 * 0.05, -0.4 + T95 * 0.05))
    assert row["gain_mean"] == 0
    assert (row["recipe"], gain["recipe"]) == (True, False)


def test_values_stand_in_order_and_keys_as_they_come():
    words = sweep(run("sgd", 0, (1, 1), (1, 1)), run("adam", 0, (0.9, 0.9), (1, 1)))
    found = table(name=words, rate=RATES)
    assert found.index.tolist() == [("name", "sgd"), ("name", "adam"), ("rate", 0.01), ("rate", 0.1)]
    assert found["gain_mean"].isna().tolist() == [True, True, False, False], "the recipe's own value is not among them"
    assert found["chosen"].tolist() == [True, False, True, False], "one of each key"


def test_of_equal_values_the_one_with_the_lower_loss_at_the_end_is_chosen():
    first, second = (run(batch, 0, (0.9, 0.9), (1, 1), epochs) for batch, epochs in ((8, (0.1, 0.5)), (16, (0.4, 0.4, 0.3))))
    assert table(batch=sweep(first, second))["chosen"].tolist() == [False, True]
    rows = [{"diverged": 0, "validation_mean": 0.9, "last_loss": loss} for loss in (0.3, 0.2, 0.4)]
    assert chosen(rows) == 1


def test_a_value_that_diverged_once_is_not_chosen_and_its_other_trainings_are_told():
    rows = sweep(run(1, 0, (1, 1), (1, 1)), run(1, 1, None, None, diverged=True), run(0.1, 0, (0.5, 0.5), (0.5, 0.5)))
    found = table(rate=rows)
    assert found["chosen"].to_dict() == {("rate", 0.1): True, ("rate", 1): False}
    assert (found["runs"].tolist(), found["diverged"].tolist()) == ([1, 1], [0, 1])
    assert found.loc[("rate", 1), "test_mean"] == 1


def test_nothing_is_chosen_where_everything_diverged():
    found = table(rate=sweep(run(1, 0, None, None, diverged=True)), batch=sweep(run(8, 0, (1, 1), (1, 1))))
    assert found["chosen"].tolist() == [False, True]
    assert found.loc[("rate", 1)][["test_mean", "test_low", "gain_mean", "test_cat_mean"]].isna().all()
    assert len(losses({"rate": sweep(run(1, 0, None, None, diverged=True))})) == 0


def test_of_many_classes_only_the_mean_is_told():
    many = [f"c{number}" for number in range(11)]
    rows = RATES.assign(**{f"accuracy_{name}": 0.5 for name in many})
    assert not [name for name in values({"rate": rows}, {"rate": None}, many) if name.startswith("test_c")]


def test_losses_have_a_row_for_every_epoch_that_a_value_was_trained():
    rows = sweep(run(8, 0, (1, 1), (1, 1), (0.4,)), run(8, 1, (1, 1), (1, 1), (0.6,)), run(16, 0, (1, 1), (1, 1), (0.3, 0.2)))
    found = losses({"batch": rows}).set_index(["value", "epoch"])
    assert found.index.tolist() == [(8, 1), (16, 1), (16, 2)]
    assert found["validation_loss_mean"].tolist() == pytest.approx([0.5, 0.3, 0.2])
    assert found["train_loss_mean"].tolist() == pytest.approx([0.25, 0.15, 0.1])
    assert found.loc[(8, 1), "validation_loss_high"] == pytest.approx(0.5 + T95 * 0.1)
    assert found.loc[(16, 1), ["validation_loss_low", "train_loss_high"]].isna().all(), "a single training has no interval"


# ---------------------------------------------------------------------------------------------------------------------
# ways of making up for unequal classes


def way(cats, dogs, drawn=None):
    """Runs that predict so many of ten cats and ten dogs right, one pair per seed; drawn: of ten cats and two dogs."""
    rows = []
    for seed, (cat, dog) in enumerate(zip(cats, dogs, strict=True)):
        row = {"seed": seed, "confusion": f"{cat} {10 - cat};{10 - dog} {dog}"}
        row |= {"accuracy": (cat + dog) / 20, "balanced_accuracy": (cat + dog) / 20}
        if drawn is not None:
            few = drawn[seed]
            row |= {"drawn_confusion": f"{cat} {10 - cat};{2 - few} {few}", "drawn_accuracy": (cat + few) / 12}
            row["drawn_balanced_accuracy"] = (cat / 10 + few / 2) / 2
        rows.append(row)
    return pd.DataFrame(rows)


def test_every_way_is_compared_with_nothing_done_on_both_test_sets_seed_by_seed():
    sweeps = {"none": way([10, 9], [2, 3], [0, 1]), "sampler": way([8, 8], [6, 8], [2, 1])}
    found = compare(sweeps, NAMES)
    assert tuple(found.columns) == COLUMNS
    whole, drawn = dict.fromkeys(found["test"])
    found = found.set_index(["balance", "test", "measure"]).sort_index()
    assert len(found) == 2 * 2 * 4
    assert found.loc[("sampler", whole, "all images"), "accuracy_mean"] == pytest.approx(0.75)
    dogs = found.loc[("sampler", whole, "dog")]
    # seed by seed .6 - .2 and .8 - .3
    assert dogs["gain_mean"] == pytest.approx(0.45)
    assert (dogs["gain_low"], dogs["gain_high"]) == pytest.approx((0.45 - T95 * 0.05, 0.45 + T95 * 0.05))
    assert found.loc[("sampler", drawn, "all images"), "accuracy_mean"] == pytest.approx((10 / 12 + 9 / 12) / 2)
    assert found.loc[("none", drawn, "mean of classes"), "accuracy_mean"] == pytest.approx((0.5 + 0.7) / 2)
    assert found.loc[("none", drawn, "dog"), "accuracy_mean"] == pytest.approx(0.25)
    assert found.loc["none", "gain_mean"].isna().all()


def test_without_a_drawn_test_set_there_is_one():
    found = compare({"none": way([10], [2]), "weighted_loss": way([9], [5])}, NAMES)
    assert found["test"].nunique() == 1
    assert found["gain_low"].isna().all(), "a single training has no interval"
    assert found.loc[found["measure"] == "dog", "gain_mean"].tolist()[1] == pytest.approx(0.3)


def test_a_class_without_test_images_has_no_row():
    absent = pd.DataFrame({"seed": [0], "confusion": ["4 1;0 0"], "accuracy": [0.8], "balanced_accuracy": [0.8]})
    assert compare({"none": absent}, NAMES)["measure"].tolist() == ["all images", "mean of classes", "cat"]


def test_tables_survive_a_file(tmp_path):
    """Words that pandas would read as missing or as truth stay words."""
    path = tmp_path / "runs.csv"
    sweep(run("none", 0, (1, 1), (1, 1)), run("off", 0, (0.5, 0.5), (1, 1))).to_csv(path, index=False)
    found = values({"normalise": pd.read_csv(path)}, {"normalise": "none"}, NAMES)
    assert found["value"].tolist() == ["none", "off"]
    assert found["recipe"].tolist() == [True, False]
    assert np.isfinite(found["validation_mean"]).all()
