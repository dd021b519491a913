"""The figures of wrong labels, and what the report says of both rules: what a reader finds in them."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pipeline_lib.analyse.margins import CURVES, HISTOGRAM
from pipeline_lib.analyse.ranking import AND_RULE
from pipeline_lib.draw import cutoffs, margins, relabel
from pipeline_lib.report import behind, summary
from pipeline_lib.report.assemble import sections
from tests.unit import reports
from tests.unit.test_draw_describe import words


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def margin_tables():
    rows = [(group, 4, epoch, 2.0 * epoch, 1.0, lead) for group, lead in (("easy", 3.5), ("wrong labels", -1)) for epoch in (1, 2)]
    parts = ("right labels", "wrong labels", "threshold examples")
    counted = [(part, low, low + 1, place + 1) for place, part in enumerate(parts) for low in (-1.0, 0.0)]
    return pd.DataFrame(rows, columns=CURVES), pd.DataFrame(counted, columns=HISTOGRAM)


@pytest.mark.parametrize(("kind", "said"), [("training", "of the augmented images"), ("clean", "of a clean pass")])
def test_the_margins_show_every_group_and_the_cut_off(kind, said):
    figure = margins.draw(*margin_tables(), 0.25, kind, "pets")
    text = words(figure)
    assert "easy\n4 examples, AUM 3.5" in text
    assert "wrong labels\n4 examples, AUM -1" in text
    assert "doubted   cut-off 0.25" in text
    assert "threshold examples (6)" in text
    assert said in text
    histogram = figure.axes[-1]
    assert 0.25 in [line.get_xdata()[0] for line in histogram.lines]


def cutoff_table():
    rows = [
        (name, 100, wrong, by, measure, 0.8, 0.7, 0.9)
        for name, wrong in (("pets10", 10), ("pets40", 40))
        for by in ("threshold", "lead")
        for measure in ("precision", "recall", "f1")
    ]
    rows += [("pets10", 100, 10, f"metric{i}", "auroc", 1 - i / 20, 0.5, 1) for i in range(8)]
    rows += [("pets40", 100, 40, f"metric{i}", "auroc", 0.9 - i / 20, 0.5, 1) for i in range(8)]
    return pd.DataFrame(rows, columns=["dataset", "examples", "wrong", "by", "measure", "value", "low", "high"])


def test_the_kinds_of_wrong_labels_are_named_with_their_share():
    figure = cutoffs.draw(cutoff_table(), "pets")
    text = words(figure)
    assert "pets10\n10% wrong" in text
    assert "pets40\n40% wrong" in text
    assert "learned cut-off" in text
    names = {name.get_text(): name for name in figure.axes[3].texts}
    assert list(names) == [f"metric{i}" for i in reversed(range(8))], "every line has its name, in the order of their ends"
    heights = [name.get_position()[1] for name in names.values()]
    assert min(np.diff(heights)) >= 0.99 * cutoffs.GAP
    assert names["metric0"].get_color() != names["metric7"].get_color(), "the best are coloured"
    assert len(figure.axes[3].lines) == 8 + 1, "all are drawn, and chance"


def test_names_that_would_overlap_are_moved_apart_and_stay_beside_the_panel():
    rows = cutoff_table()
    rows.loc[rows["measure"] == "auroc", "value"] = 0.99
    heights = [name.get_position()[1] for name in cutoffs.draw(rows, "pets").axes[3].texts]
    assert min(np.diff(heights)) >= 0.99 * cutoffs.GAP
    assert max(heights) <= 1


def test_data_sets_named_after_another_lose_its_name():
    rows = cutoff_table().replace({"pets10": "pets_noisy"})
    assert "\nnoisy\n10% wrong" in "\n" + words(cutoffs.draw(rows, "pets"))


def test_relabel_names_who_doubts_and_how_many():
    columns = ["by", "point", "runs", "kept", "left_out", "accuracy_mean", "accuracy_low", "accuracy_high"]
    rows = [
        ("", "all data", 5, 1000, 0, 0.9, 0.89, 0.91),
        ("threshold", "without the doubted", 5, 880, 120, 0.95, 0.94, 0.96),
        ("threshold", "without as many at random", 5, 880, 120, 0.89, 0.88, 0.9),
    ]
    text = words(relabel.draw(pd.DataFrame(rows, columns=columns), "pets"))
    assert "below the learned cut-off\n120 of 1,000 left out" in text
    assert "mean of 5 trainings" in text
    single = pd.DataFrame(rows, columns=columns).assign(runs=1)
    assert "no intervals: a single run" in words(relabel.draw(single, "pets"))
    rows[1] = (*rows[1][:-2], np.nan, np.nan)
    lines = relabel.draw(pd.DataFrame(rows, columns=columns), "pets").axes[0].lines
    assert [line.get_xdata()[0] for line in lines if line.get_markerfacecolor() == "white"] == [95], "without an interval"


def ranking():
    table = reports.ranking().assign(below_threshold=[False, True, True, False], threshold_votes=[0.0, 1.0, 1.0, 0.5])
    table["rule"] = [np.nan, f"the other class is surer{AND_RULE}its AUM is low", "its AUM is low", np.nan]
    return table


def test_the_report_lists_the_labels_below_the_cut_off_with_their_own_rule():
    study = reports.study(tables={"ranking": (ranking(), "results/pets/ranking.csv")})
    [section] = [section for section in sections(study) if section.name == "ranking"]
    doubted, below, hardest = section.parts
    assert [part.title for part in section.parts] == ["Likely mislabelled", "Below the learned cut-off", "Hardest"]
    assert doubted.paragraph.endswith("The rule: the other class is surer.")
    assert below.paragraph.endswith("The rule: its AUM is low.")
    assert below.frame["index"].tolist() == [2, 1]
    assert {"below_threshold", "threshold_votes"} <= set(hardest.frame.columns)


def test_the_summary_counts_both_rules():
    said = summary.mislabelled(ranking(), np.array([False, True, False, False]))
    assert "2 lie below the cut-off that was learned from threshold examples, 1 of these are among both." in said
    assert "1 labels are known to be wrong; 1 of them are among the doubted, 1 below the cut-off." in said


def test_captions_say_what_was_counted():
    counted = pd.concat([pd.DataFrame({"group": ["easy"]}), margin_tables()[1]])
    assert behind.one_training(counted) == "One of the trainings: right labels: 2; wrong labels: 4; threshold examples: 6."
    assert behind.flagged(cutoff_table()).startswith("2 data sets, one set of trainings each")
