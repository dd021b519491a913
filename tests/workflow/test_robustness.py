"""Attacks in the workflow: what another bound, a deleted store and an edit of the attack rerun, and what is trained for it."""

import shutil

import pandas as pd
import pytest

pytestmark = pytest.mark.long

FIGURE, PICTURES = "results/digits/robustness.png", "results/digits/attacked.png"
SECTION = {"attacks": {"fgsm": {}}, "epsilons": [0.1], "shares": [0.5], "metrics": ["el2n"], "seeds": 2}
ATTACKS = {"attack el2n", "attack random", "attack full"}
DRAWN = {"draw_robustness", "draw_attacked"}


@pytest.fixture(scope="module")
def attacked(finished, tmp_path_factory):
    """The tiny study, its networks attacked."""
    project = finished.copied(tmp_path_factory.mktemp("attacked") / "study")
    project.configure(**{"experiments.robustness": SECTION})
    project.make(FIGURE, PICTURES)
    return project


@pytest.fixture
def edited(attacked):
    """The same; what a test changes of code and config is undone."""
    paths = [attacked.folder / "config.yaml", *(attacked.folder / "pipeline_lib").rglob("*.py")]
    kept = {path: path.read_bytes() for path in paths}
    yield attacked
    for path, content in kept.items():
        path.write_bytes(content)


def log(project, metric):
    return (project.folder / f"results/digits/logs/attack/{metric}.log").read_text()


def test_the_tables_and_what_they_come_from(attacked):
    table = pd.read_csv(attacked.folder / "results/digits/robustness.csv")
    assert set(table["metric"]) == {"el2n", "random", "full"}
    assert table["epsilon"].unique().tolist() == [0, 0.1]
    assert (table["runs"] == 2).all()
    lost = table.loc[table["epsilon"] > 0, "lost_mean"]
    assert (lost > 0).all()
    assert attacked.plan(FIGURE, PICTURES) == set()


def test_prune_easiest_finds_the_trainings_and_adds_no_network(attacked):
    folder = attacked.folder / "results/digits"
    before = sorted(folder.glob("runs/*/*.model.h5"))
    assert len(before) == 2 + 2 + 2
    attacked.make("results/digits/sweeps/prune_easiest/random.csv", cores=1)  # no helper trains any of them
    runs = pd.read_csv(folder / "sweeps/prune_easiest/random.csv")
    said = (folder / "logs/sweep/prune_easiest/random.log").read_text()
    shared = 2 + 2  # half of the data was attacked; 40% were trained on for the sliding window
    assert f"{len(runs)} runs, {len(runs) - shared} of them trained now" in said
    attacked_runs = pd.read_csv(folder / "attacks/random.csv")["run"]
    assert set(attacked_runs) == set(runs.loc[runs["point"] == 0.5, "run"])
    assert sorted(folder.glob("runs/*/*.model.h5")) == before


def test_another_bound_reruns_the_attacks_alone_and_trains_nothing(edited):
    edited.configure(**{"experiments.robustness": SECTION | {"epsilons": [0.05]}})
    assert edited.plan(FIGURE, PICTURES) == ATTACKS | DRAWN
    edited.make("results/digits/attacks/el2n.csv")
    assert "2 networks, 0 of them trained now, the others from the run store" in log(edited, "el2n")
    edited.configure(**{"experiments.robustness": SECTION})
    edited.make(FIGURE, PICTURES)


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("learn/attack.py", "    return changed.detach()\n", "    return 1 * changed.detach()\n", ATTACKS | DRAWN),
        ("draw/attacked.py", "SIDE = 1.5", "SIDE = 1.6", {"draw_attacked"}),
        ("draw/robustness.py", "DODGE = 0.05", "DODGE = 0.06", {"draw_robustness"}),
        ("analyse/robustness.py", 'POINT = [*VARIANT, "point"]', 'POINT = [*VARIANT] + ["point"]', {"draw_robustness"}),
    ],
    ids=["attack", "pictures", "figure", "statistics"],
)
def test_an_edit_reruns_what_depends_on_it(edited, path, old, new, expected):
    edited.edit(f"pipeline_lib/{path}", old, new)
    assert edited.plan(FIGURE, PICTURES, "results/digits/sliding_window.png") == expected


def test_a_metric_reruns_its_own_attack(edited):
    edited.edit("pipeline_lib/metrics/el2n.py", "return total / len", "return 2 * total / len")
    assert edited.plan(FIGURE, PICTURES) == {"score el2n", "attack el2n", "draw_robustness"}


def test_deleting_the_run_store_is_safe(edited):
    before = (edited.folder / "results/digits/attacks/full.csv").read_bytes()
    shutil.rmtree(edited.folder / "results/digits/runs")
    assert edited.plan(FIGURE, PICTURES) == set()
    (edited.folder / "results/digits/attacks/full.csv").unlink()
    (edited.folder / PICTURES).unlink()
    edited.make("results/digits/attacks/full.csv", PICTURES)
    assert "2 networks, 2 of them trained now" in log(edited, "full")
    after = pd.read_csv(edited.folder / "results/digits/attacks/full.csv")
    columns = [name for name in after.columns if name != "seconds"]
    path = edited.folder / "before.csv"
    path.write_bytes(before)
    pd.testing.assert_frame_equal(pd.read_csv(path)[columns], after[columns], check_exact=True)


def test_the_report_has_both_figures_only_where_the_experiment_is_on(edited):
    edited.configure(**{"experiments.robustness": SECTION | {"epsilons": [0.2]}})
    assert edited.plan("results/digits/report.html") >= {"report"} | ATTACKS | DRAWN
    edited.configure(**{"experiments.robustness": None})
    assert not edited.plan("results/digits/report.html") & (ATTACKS | DRAWN)
    done = edited.snakemake("-n", FIGURE)
    assert done.returncode != 0
    assert "datasets.digits.experiments has no section robustness" in done.stdout


def test_a_share_that_is_not_pruned_is_told_before_anything_runs(edited):
    edited.configure(**{"experiments.robustness": SECTION | {"shares": [0.45]}})
    done = edited.snakemake("-n", FIGURE)
    assert done.returncode != 0
    assert "experiments.robustness.shares: 0.45 is not among the shares of prune_easiest" in done.stdout


def test_a_change_longer_than_from_black_to_white_is_told_before_anything_runs(edited):
    attacks = {"far": {"norm": "l2", "epsilons": [8.5]}}
    edited.configure(**{"experiments.robustness": SECTION | {"attacks": attacks}})
    done = edited.snakemake("-n", FIGURE)
    assert done.returncode != 0
    assert (
        "datasets.digits.experiments.robustness.attacks.far: epsilon should be at most 8, the distance from a black" in done.stdout
    )
    assert "of 64 pixels, not 8.5" in done.stdout
