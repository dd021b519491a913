"""Scores from less on the tiny study: what is made, and what an edit makes again."""

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.long

FIGURES = [f"results/digits/{name}.png" for name in ("score_epoch", "seeds", "transfer", "grand_full")]
ON = {
    "datasets.digits.experiments": {
        "score_epoch": {"epochs": [0, 1], "shares": [0.5], "seeds": 2, "metrics": ["el2n", "flip"]},
        "seeds": {"numbers": [1], "seeds": 2, "metrics": ["el2n"], "missing_classes": "allow"},
        "transfer": {"datasets": ["digits_wide"], "seeds": 2, "metrics": ["el2n"], "missing_classes": "allow"},
    },
    "datasets.digits.ensemble": {"seeds": 2, "epochs": 2, "grand_full": {"epochs": [0, 2], "layers": ["fc", "convolutions.*"]}},
    "datasets.digits_wide": {"base": "digits", "recipes": {"scoring": "threshold", "training": "training"}, "swav": "quick"},
    "metrics.flip": {},
}


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    """The tiny study with the experiments on, all of them made."""
    project = finished.copied(tmp_path_factory.mktemp("diet") / "study")
    project.configure(**ON)
    project.make(*FIGURES)
    return project


def table(project, name):
    return pd.read_csv(project.folder / f"results/digits/{name}.csv")


def test_all_is_made_and_nothing_again(drawn):
    assert all((drawn.folder / figure).stat().st_size > 10_000 for figure in FIGURES)
    assert drawn.plan(*FIGURES) == set()


def test_points_are_the_epochs_that_a_metric_can_do_with(drawn):
    rows = table(drawn, "score_epoch").set_index(["metric", "epoch"]).sort_index()
    assert list(rows.loc["el2n"].index) == [0, 1, 2]
    assert list(rows.loc["flip"].index) == [2]
    assert rows.loc[("el2n", 2.0), "with_own_final"] == 1
    assert -1 < rows.loc[("el2n", 2.0), "agreement"] < 1, "with the final score of the other seed"
    assert (table(drawn, "score_epoch").query("metric == 'input_norm'")["runs"] == 2).all()


def test_the_untrained_networks_scores_carry_their_warning(drawn):
    log = (drawn.folder / "results/digits/logs/score/el2n_at_0.log").read_text()
    assert "WARNING scores of untrained networks" in log


def test_the_last_epoch_prunes_as_the_metric_itself(drawn):
    last, half = (table(drawn, f"sweeps/{name}/el2n") for name in ("score_epoch", "transfer"))
    assert last["run"].tolist() == half["run"].tolist()


def test_a_twin_with_other_recipes_has_the_same_images_and_another_score(drawn):
    rows = table(drawn, "transfer").query("metric == 'el2n'").set_index("scored_by")
    assert set(rows.index) == {"digits", "digits_wide"}
    assert -1 < rows.loc["digits_wide", "with_digits"] < 1


def test_the_whole_gradient_stands_beside_its_closed_form(drawn):
    rows = table(drawn, "grand_full")
    assert rows["epoch"].unique().tolist() == [0, 2]
    assert rows["agreement"].notna().all()
    assert np.isfinite(rows["agreement"]).all()


def test_an_edit_of_the_section_makes_what_is_new(drawn):
    config, own = (drawn.folder / "config.yaml").read_bytes(), ON["datasets.digits.experiments"]
    epochs = own["score_epoch"] | {"epochs": [0], "metrics": ["el2n"]}
    drawn.configure(**{"datasets.digits.experiments": {"score_epoch": epochs, "transfer": own["transfer"]}})
    fewer = drawn.plan(*(figure for figure in FIGURES if "seeds" not in figure))
    off = drawn.snakemake("-n", "results/digits/seeds.png")
    drawn.configure(**{"datasets.digits.ensemble": {"seeds": 2, "epochs": 2}})
    unrecorded = drawn.snakemake("-n", "results/digits/grand_full.png")
    (drawn.folder / "config.yaml").write_bytes(config)
    assert fewer == {"draw_score_epoch"}
    assert "datasets.digits.experiments has no section seeds" in off.stdout
    assert "the ensemble of digits has no section grand_full" in unrecorded.stdout


def test_the_report_has_all_of_them(drawn):
    done = drawn.snakemake("-n", "--forceall", "results/digits/report.html")
    assert done.returncode == 0, done.stdout
    assert all(f"Draw {name} of digits" in done.stdout for name in ("score_epoch", "seeds", "transfer", "grand_full"))
