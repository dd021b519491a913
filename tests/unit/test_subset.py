"""A list of examples to train on elsewhere: the ones that the study's own trainings keep."""

from fractions import Fraction

import numpy as np
import pytest

from pipeline_lib.config import Recipe, plain
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import sizes
from pipeline_lib.prune.plan import plan
from pipeline_lib.prune.subset import COLUMNS, subset
from tests.unit.studies import experiment_section
from tests.unit.test_plan import CHANGES, LABELS, RECIPE, SCORE, TIED, kept

PERCENT = Fraction(1, 100)
IMAGES = np.zeros((100, 1, 8, 8), np.uint8)
INSECTS = Dataset(IMAGES, LABELS, IMAGES[:3], np.arange(3), ["ant", "bee", "cat"], [str(i) for i in range(100)])


def listed(begin, end, metric="el2n", score=TIED, balanced=False):
    return subset(INSECTS, metric, score, begin * PERCENT, end * PERCENT, balanced, study_seed=0)


def trained(experiment, point, metric, balanced):
    """What the first training of an experiment keeps at a point."""
    settings = plain(experiment_section(experiment)) | CHANGES[experiment] | {"seeds": 1, "balanced": [balanced]}
    score = None if metric == "random" else TIED
    return kept(plan(experiment, metric, score, settings, Recipe.model_validate(RECIPE), INSECTS, 0, ""), point, 0, balanced)


def test_a_row_says_where_an_example_is_and_how_hard():
    table = listed(80, 100, score=SCORE)
    hardest = np.sort(np.argsort(SCORE)[80:])
    assert tuple(table.columns) == COLUMNS
    assert table["index"].tolist() == hardest.tolist()
    assert table["file"].tolist() == [str(i) for i in hardest]
    assert table["label"].tolist() == [("ant", "bee", "cat")[label] for label in LABELS[hardest]]
    assert table["score"].tolist() == SCORE[hardest].tolist()


@pytest.mark.parametrize("balanced", [False, True])
def test_it_is_what_the_first_training_keeps_ties_included(balanced):
    for experiment, point, (begin, end) in (
        ("prune_easiest", 0.2, (20, 100)),
        ("prune_hardest", 0.2, (0, 80)),
        ("sliding_window", 0.3, (30, 70)),
    ):
        assert listed(begin, end, balanced=balanced)["index"].tolist() == trained(experiment, point, "el2n", balanced).tolist()
    of_random = trained("prune_easiest", 0.2, "random", balanced)
    assert listed(0, 80, "random", balanced=balanced)["index"].tolist() == of_random.tolist()


def test_a_random_part_has_the_places_of_its_own_order():
    table = listed(0, 80, "random")
    assert sorted(table["score"]) == pytest.approx(np.arange(80) / 100)


def test_ranges_that_touch_divide_data_of_a_round_number():
    parts = [listed(begin, end)["index"] for begin, end in ((0, 33), (33, 50), (50, 100))]
    assert sorted(np.concatenate(parts)) == list(range(100))


@pytest.mark.parametrize(("begin", "end"), [("40", "40"), ("60", "40"), ("50", "100.5")])
def test_what_is_no_range_is_refused(begin, end):
    with pytest.raises(PipelineError, match=f"examples from {begin} to {end}%: a range of difficulty begins below its end"):
        sizes.difficulties(begin, end)
    assert sizes.difficulties("0", "62.5") == (0, Fraction(5, 8))


def test_there_is_no_order_in_a_constant_score():
    with pytest.raises(PipelineError, match="flip is 0 for every example: there is no order to choose by"):
        listed(20, 100, "flip", np.zeros(100))
