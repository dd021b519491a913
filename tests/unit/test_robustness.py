"""The experiment `robustness`: its section, its tables by hand, its figures, and the job that makes them."""

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt

from pipeline_lib import storage
from pipeline_lib.analyse.robustness import COLUMNS, read_attacks, summarise
from pipeline_lib.analyse.statistics import mean_interval
from pipeline_lib.config import Attack, Recipe, Robustness, parse_study, plain
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.draw import attacked as pictures
from pipeline_lib.draw import robustness as drawing
from pipeline_lib.draw.attacks import how
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune.attack import attack, show
from pipeline_lib.prune.plan import NO_POINT, Planned
from pipeline_lib.prune.store import RunStore
from pipeline_lib.prune.sweep import Trainer
from pipeline_lib.report.assemble import Drawn, sections
from pipeline_lib.report.captions_robustness import CAPTIONS
from tests import tiny
from tests.unit import reports
from tests.unit.studies import changed, complaints

CPU = torch.device("cpu")
RECIPE = Recipe.model_validate(tiny.RECIPE | {"schedule": {"name": "onecycle"}, "epochs": 4})
FGSM, PGD = Attack(), Attack(steps=4, step=0.5, random_start=True)
ATTACKS = {"fgsm": (FGSM, [0.0, 0.1, 0.3]), "pgd": (PGD, [0.0, 0.1])}
NAN = float("nan")
ON = {"shares": [0.5], "metrics": ["el2n"]}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def words(figure):
    found = [text.get_text() for axes in figure.axes for text in axes.findobj(plt.Text) if text.get_text()]
    return "\n".join([*found, figure.get_suptitle(), figure.get_supxlabel()])


# ---------------------------------------------------------------------------------------------------------------------
# its section of the config file


def study(**section):
    return changed("experiments.robustness", ON | section)


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({"epsilons": [0.1, 1.5]}, ".epsilons.1: should be at most 1, not 1.5"),
        ({"epsilons": [-0.1]}, ".epsilons.0: should be at least 0, not -0.1"),
        ({"epsilons": []}, ".epsilons: should hold 1 or more, not nothing"),
        ({"epsilons": [0.1, 0.1]}, ": epsilons: 0.1 is given twice"),
        ({"epsilons": [0]}, ": epsilons: 0 alone is no attack; give fgsm at least one above 0"),
        ({"attacks": {}}, ".attacks: should hold 1 or more, not nothing"),
        ({"attacks": {"fgsm": {"norm": "l1"}}}, ".attacks.fgsm.norm: should be 'linf' or 'l2', not 'l1'"),
        ({"attacks": {"pgd": {"steps": 0}}}, ".attacks.pgd.steps: should be at least 1, not 0"),
        ({"attacks": {"pgd": {"steps": 2.5}}}, ".attacks.pgd.steps: should be a whole number, not 2.5"),
        ({"attacks": {"pgd": {"step": 0}}}, ".attacks.pgd.step: should be greater than 0, not 0"),
        ({"attacks": {"pgd": {"step": 3}}}, ".attacks.pgd.step: should be at most 2, not 3"),
        ({"attacks": {"pgd": {"step": True}}}, ".attacks.pgd: step should be a number, not True"),
        (
            {"attacks": {"pgd": {"steps": 3, "step": 0.25}}},
            ".attacks.pgd: 3 steps of 0.25 of epsilon never reach epsilon; give more or longer ones",
        ),
        (
            {"attacks": {"pgd": {"restarts": 2}}},
            ".attacks.pgd: restarts: begin all at the same point; set `random_start: true`, or leave them out",
        ),
        (
            {"attacks": {"pgd": {"epsilons": [2]}}},
            ".attacks.pgd: epsilons: 2.0 is more than 1, which makes a black pixel white",
        ),
        ({"attacks": {"pgd": {"epsilons": [0.1, 0.1]}}}, ".attacks.pgd: epsilons: 0.1 is given twice"),
        (
            {"attacks": {"pgd": {"size": 1}}},
            ".attacks.pgd: unknown key 'size'; accepted: norm, steps, step, random_start, restarts, epsilons",
        ),
        ({"share": 0.5}, ": unknown key 'share'; accepted: attacks, epsilons, shares, metrics, seeds"),
        (
            {"shares": [0.4]},
            ".shares: 0.4 is not among the shares of prune_easiest, whose networks are attacked; accepted: 0.2, 0.5",
        ),
        ({"shares": [1]}, ".shares.0: should be less than 1, not 1"),
        (
            {"metrics": ["std"]},
            ".metrics: std is not among the metrics of prune_easiest, whose networks are attacked; accepted: el2n, km",
        ),
        (
            {"metrics": ["full"]},
            ".metrics: full is not among the metrics of prune_easiest, whose networks are attacked; accepted: el2n, km",
        ),
        ({"metrics": ["km", "km"]}, ": metrics: km is given twice"),
        ({"seeds": 4}, ".seeds: should be at most 3, the seeds of prune_easiest, not 4"),
        ({"seeds": 0}, ".seeds: should be at least 1, not 0"),
    ],
)
def test_a_mistake_is_told_with_its_key_before_anything_trains(section, line):
    assert complaints(study(**section)) == [f"experiments.robustness{line}"]


def test_a_name_of_an_attack_that_cannot_be_a_name_is_refused():
    [line] = complaints(study(attacks={"p g d": {}}))
    assert line == "experiments.robustness.attacks: 'p g d' is not a name; accepted: letters, digits and _, the first no _"


def test_a_data_set_s_own_section_is_checked_against_its_own_prune_easiest():
    [line] = complaints(changed("datasets.local.experiments", {"prune_easiest": {"seeds": 1}, "robustness": ON | {"seeds": 2}}))
    assert line == "datasets.local.experiments.robustness.seeds: should be at most 1, the seeds of prune_easiest, not 2"


def test_it_is_off_unless_it_is_named():
    assert parse_study(changed("seed", 1)).experiments_of("digits").robustness is None
    assert parse_study(changed("experiments.robustness", None)).experiments_of("digits").robustness is None
    assert parse_study(study()).experiments_of("digits").robustness is not None


def test_its_defaults_take_all_metrics_of_prune_easiest():
    values = changed("experiments.prune_easiest", {"metrics": ["km"]})
    values["datasets"]["digits"]["experiments"]["robustness"] = {}
    parsed = parse_study(values)
    assert parsed.attacked_metrics("digits") == ["km"]
    assert list(parsed.experiments_of("digits").robustness.attacks) == ["fgsm", "pgd"]
    assert "robustness" not in parsed.swept("digits"), "it trains nothing of its own"


def test_every_attack_has_its_bounds_in_order_and_none_for_no_attack():
    section = Robustness(epsilons=[0.1, 0.02], attacks={"a": Attack(), "b": Attack(norm="l2", epsilons=[3, 0, 0.5])})
    assert section.epsilons_of("a") == [0, 0.02, 0.1]
    assert section.epsilons_of("b") == [0, 0.5, 3]


# ---------------------------------------------------------------------------------------------------------------------
# its table


def rows(point, kept, accuracies):
    """accuracies: epsilon -> one for each seed."""
    return pd.DataFrame(
        [
            {"point": point, "balanced": False, "budget": "epochs", "seed": seed, "kept": kept, "attack": "fgsm"}
            | {"epsilon": epsilon, "accuracy": accuracy, "seconds": 1.0, "run": f"{kept}-{seed}", "model_bytes": 1000}
            for epsilon, values in accuracies.items()
            for seed, accuracy in enumerate(values)
        ]
    )


TABLES = {
    "el2n": rows(0.5, 50, {0.0: [0.9, 0.8], 0.1: [0.5, 0.6]}),
    "random": pd.concat([rows(0.5, 50, {0.0: [0.8, 0.9], 0.1: [0.4, 0.4]}), rows(0.3, 70, {0.0: [1.0, 1.0], 0.1: [0.9, 0.9]})]),
    "full": rows(NAN, 100, {0.0: [1.0, 0.9], 0.1: [0.7, 0.7]}),
}


def at(table, metric, epsilon, point=0.5):
    here = table["point"].isna() if np.isnan(point) else table["point"] == point
    [(_, row)] = table[(table["metric"] == metric) & (table["epsilon"] == epsilon) & here].iterrows()
    return row


def test_means_and_paired_differences_by_hand():
    table = summarise(TABLES)
    assert list(table.columns) == list(COLUMNS)
    assert len(table) == 8
    row = at(table, "el2n", 0.1)
    assert (row["accuracy_mean"], row["kept_share"], row["runs"], row["model_bytes"]) == (pytest.approx(0.55), 0.5, 2, 1000)
    for name, differences in (("lost", [0.4, 0.2]), ("over_random", [0.1, 0.2]), ("over_full", [-0.2, -0.1])):
        found = [row[f"{name}_{end}"] for end in ("mean", "low", "high")]
        assert found == pytest.approx(mean_interval(np.array(differences))), name
    assert at(table, "el2n", 0.0)["lost_mean"] == 0


def test_a_baseline_is_not_compared_with_itself():
    table = summarise(TABLES)
    assert np.isnan(at(table, "random", 0.1)["over_random_mean"])
    assert at(table, "random", 0.1)["over_full_mean"] == pytest.approx(-0.3)
    assert at(table, "random", 0.1, 0.3)["over_full_mean"] == pytest.approx(0.2)
    assert np.isnan(at(table, "full", 0.1, NAN)["over_full_mean"])
    assert at(table, "full", 0.1, NAN)["kept_share"] == 1


def test_seeds_that_only_one_has_are_left_out_of_the_difference():
    lacking = TABLES | {"full": TABLES["full"][TABLES["full"]["seed"] == 1]}
    row = at(summarise(lacking), "el2n", 0.1)
    assert row["over_full_mean"] == pytest.approx(-0.1)
    assert np.isnan(row["over_full_low"])


def test_the_order_of_the_rows_does_not_matter():
    shuffled = {name: table.sample(frac=1, random_state=0) for name, table in TABLES.items()}
    columns = ["metric", "point", "epsilon"]
    pd.testing.assert_frame_equal(
        *(summarise(tables).sort_values(columns, ignore_index=True) for tables in (TABLES, shuffled)), check_exact=False
    )


def test_a_damaged_table_is_refused(tmp_path):
    storage.write_csv(tmp_path / "el2n.csv", TABLES["el2n"].drop(columns="epsilon"))
    with pytest.raises(PipelineError, match=r"el2n\.csv: lacks the column epsilon.*rule attack"):
        read_attacks({"el2n": tmp_path / "el2n.csv"})


# ---------------------------------------------------------------------------------------------------------------------
# its figures


def settings_of(attacks):
    return {name: plain(each) for name, each in attacks.items()}


def test_the_figure_has_a_row_for_every_share_and_a_column_for_every_attack():
    again = {name: pd.concat([table, table.assign(attack="pgd")]) for name, table in TABLES.items()}
    figure = drawing.draw(summarise(again), settings_of({"fgsm": FGSM, "pgd": PGD}), "pets")
    assert len(figure.axes) == 2 * 2 * 2
    said = words(figure)
    for part in ("pets", "50% of the easiest pruned", "30% of the easiest pruned", "4 steps of 0.5 ε, random start"):
        assert part in said
    assert "mean of 2 networks" in said
    assert "95% t-interval" in said
    accuracies = {line.get_label(): line.get_ydata() for line in figure.axes[4].get_lines()}
    assert accuracies["el2n"] == pytest.approx([85, 55])
    assert accuracies["all data"] == pytest.approx([95, 70])
    differences = {line.get_label(): line.get_ydata() for line in figure.axes[6].get_lines()}
    assert differences["el2n"] == pytest.approx([-10, -15])


def test_single_networks_have_no_interval_and_the_figure_says_so():
    one = {name: table[table["seed"] == 0] for name, table in TABLES.items()}
    said = words(drawing.draw(summarise(one), settings_of({"fgsm": FGSM}), "pets"))
    assert "pets: robustness to adversarial attacks" in said
    assert "no intervals: a single network per point" in said
    assert "95%" not in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (FGSM, "one step up the gradient of the loss"),
        (Attack(random_start=True), "one step up the gradient of the loss from a random start"),
        (Attack(steps=5, step=0.5), "5 steps of 0.5 ε"),
        (PGD.model_copy(update={"restarts": 3}), "4 steps of 0.5 ε, best of 3 random starts"),
    ],
)
def test_an_attack_is_told_in_words(settings, said):
    assert how(plain(settings)) == said


def test_variants_of_the_experiment_are_told_apart():
    other = {name: table.assign(budget="steps") for name, table in TABLES.items() if name != "full"}
    both = {name: pd.concat([table, other[name]]) if name in other else table for name, table in TABLES.items()}
    said = words(drawing.draw(summarise(both), settings_of({"fgsm": FGSM}), "pets"))
    assert "as many steps as on all data" in said
    assert "as many epochs as on all data" in said


# ---------------------------------------------------------------------------------------------------------------------
# the job


@pytest.fixture
def trainer(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    images = (rng.integers(0, 120, size=(60, 1, 8, 8)) + 60 * labels[:, None, None, None]).astype(np.uint8)
    dataset = Dataset(images, labels, images[:20], labels[:20], ["dark", "bright"], [str(i) for i in range(60)])

    def make():
        return Trainer(dataset, dataset.fingerprint(), RECIPE, "code", 0, CPU, RunStore(tmp_path))

    return make


PLANNED = [Planned(0.5, seed, np.arange(30)) for seed in (0, 1)]


def test_every_network_is_attacked_by_every_attack_at_every_bound(trainer):
    used = trainer()
    table = attack(used, PLANNED, ATTACKS, 0, "x")
    assert used.trained == 2
    assert table.groupby(["seed", "attack"])["epsilon"].apply(list).tolist() == [[0, 0.1, 0.3], [0, 0.1]] * 2
    runs = [trainer().run(planned) for planned in PLANNED]
    for seed, run in enumerate(runs):
        clean = table[(table["seed"] == seed) & (table["epsilon"] == 0)]
        assert (clean["accuracy"] == run["accuracy"]).all(), "no attack: the accuracy of the run, to the last bit"
        assert (clean["run"] == run["identity"]).all()
    strong = table[table["epsilon"] == 0.3]["accuracy"].mean()
    assert strong < table[table["epsilon"] == 0]["accuracy"].mean() - 0.2


def test_another_bound_trains_nothing_and_changes_no_other_row(trainer):
    before = attack(trainer(), PLANNED, ATTACKS, 0, "x")
    used = trainer()
    after = attack(used, PLANNED, {"pgd": (PGD, [0.0, 0.05, 0.1])}, 0, "x")
    assert used.trained == 0
    same = before[before["attack"] == "pgd"].drop(columns="seconds").reset_index(drop=True)
    kept = after[after["epsilon"].isin([0, 0.1])].drop(columns="seconds").reset_index(drop=True)
    pd.testing.assert_frame_equal(same, kept, check_exact=True)


def test_the_pictures_and_what_is_seen_in_them(trainer):
    index = np.array([3, 0, 5])
    shown = {"fgsm": (FGSM, 0.3), "l2": (Attack(norm="l2"), 0.5)}
    images, table = show(trainer(), Planned(NO_POINT, 0, np.arange(60)), shown, index, 0)
    assert images.shape == (3, 3, 1, 8, 8)
    assert table["row"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert table["index"].tolist() == [3, 0, 5] * 3
    original = table[table["row"] == 0]
    assert (original["attack"] == "none").all()
    assert (original[["largest_change", "change_length"]] == 0).all(axis=None)
    assert (table.loc[table["attack"] == "fgsm", "largest_change"] <= 0.3 + 1e-6).all()
    assert (table.loc[table["attack"] == "l2", "change_length"] <= 0.5 + 1e-6).all()
    assert table["probability"].between(0.5, 1).all(), "of two classes the more probable one"
    right = table["prediction"] == table["label"]
    assert table["label_probability"][right].tolist() == table["probability"][right].tolist()
    assert table["label_probability"][~right].tolist() == pytest.approx((1 - table["probability"][~right]).tolist())
    fallen = original["label_probability"].to_numpy() - table.loc[table["attack"] == "fgsm", "label_probability"].to_numpy()
    assert (fallen > 0).all()
    named = table.assign(label=np.array(["dark", "bright"])[table["label"]], prediction="$a very long name$")
    said = words(pictures.draw(named, images, settings_of({"fgsm": FGSM, "l2": Attack(norm="l2")}), "pets"))
    assert "label bright" in said
    assert r"seen as \$a very lo" in said
    assert "ε = 0.3" in said
    assert "1.7 times\nenlarged" in said
    assert "3 test images of different classes, drawn at random, one network: fgsm fools" in CAPTIONS["attacked"].behind(table)


def test_a_colour_image_and_an_attack_of_no_size_can_be_drawn():
    images = np.random.default_rng(0).random((1, 2, 3, 8, 8), np.float32).repeat(2, axis=0)
    table = pd.DataFrame({"row": [0, 0, 1, 1], "column": [0, 1, 0, 1], "attack": ["none"] * 2 + ["fgsm"] * 2, "epsilon": 0.0})
    table = table.assign(label="a", prediction="a", probability=1.0, largest_change=0.0)
    assert "its change\n(none)" in words(pictures.draw(table, images, settings_of({"fgsm": FGSM}), "pets"))


def test_the_caption_counts_networks_and_their_size():
    said = CAPTIONS["robustness"].behind(summarise(TABLES))
    assert "mean of 2 networks of different seeds" in said
    assert "8 networks of 0.008 MB in all are kept" in said
    assert "95% intervals" in said
    assert "no intervals" in CAPTIONS["robustness"].behind(summarise({n: t[t["seed"] == 0] for n, t in TABLES.items()}))


def test_both_figures_stand_in_a_section_of_the_report():
    pictures_table = pd.DataFrame(
        {"row": [0, 1], "attack": ["none", "fgsm"], "index": [4, 4], "label": "a", "prediction": ["a", "b"]}
    )
    tables = {"attacked": pictures_table, "robustness": summarise(TABLES)}
    figures = {name: Drawn(reports.png(), table, f"{name}.csv") for name, table in tables.items()}
    [section] = [section for section in sections(reports.study(figures=figures)) if section.name == "robustness"]
    assert [part.name for part in section.parts] == ["robustness", "attacked"]
    assert "fgsm fools the network with 1 of them" in section.parts[1].behind
