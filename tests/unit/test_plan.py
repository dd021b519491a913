"""Which trainings an experiment wants: points, variants and seeds, nested random subsets, shared subsets, refusals."""

import numpy as np
import pytest

from pipeline_lib.config import REPEATED, SWEPT, VARIED, Recipe, plain
from pipeline_lib.config.experiments import BEYOND, REPEATED_IN
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import plan as planning
from pipeline_lib.prune import sizes
from tests.unit.studies import experiment_section

RECIPE = {
    "model": "small_cnn",
    "optimiser": {"name": "sgd", "lr": 0.1},
    "schedule": {"name": "constant"},
    "epochs": 12,
    "batch": 4,
}
PRUNING = tuple(name for name in SWEPT if name not in BEYOND)  # those of the thesis
SHARES = [0.2, 0.5, 0.8]
CHANGES = {
    "sliding_window": {"starts": [0, 0.3, 0.6], "size": 0.4},
    "prune_easiest": {"shares": SHARES},
    "prune_hardest": {"shares": SHARES},
    "prune_fixed": {"share": 0.5},
    "prune_stratified": {"shares": SHARES, "cutoffs": [0.1, 0.1, 0.1], "strata": 5},
    "clusters": {"shares": SHARES},
    "curriculum": {"begin": 0.5, "add": 0.2},
    "score_epoch": {"shares": SHARES},
    "seeds": {"share": 0.5},
    "transfer": {"share": 0.5},
}
LABELS = np.repeat([0, 1, 2], [50, 30, 20])
SCORE = np.random.default_rng(1).permutation(100).astype(float)  # every example has its own rank
TIED = np.floor(SCORE / 10)
NAN = float("nan")


@pytest.fixture(scope="module")
def dataset():
    images = np.zeros((100, 1, 8, 8), np.uint8)
    return Dataset(images, LABELS, images[:3], np.arange(3), ["ant", "bee", "cat"], [str(i) for i in range(100)])


@pytest.fixture
def plan(dataset):
    """Plan an experiment of this file with some of its settings changed."""

    def planned(experiment, metric="el2n", score=SCORE, recipe=None, study_seed=0, **changes):
        score = None if metric in ("random", REPEATED, "full") else score
        settings = plain(experiment_section(experiment)) | {"seeds": 2} | CHANGES[experiment] | changes
        recipe = Recipe.model_validate(RECIPE | (recipe or {}))
        what = f"{experiment} of insects by {metric}"
        return planning.plan(experiment, metric, score, settings, recipe, dataset, study_seed, what)

    return planned


def kept(runs, point=None, seed=0, balanced=False):
    """The subset planned at a point (None: where there is none)."""
    [run] = [
        run
        for run in runs
        if (run.seed, run.balanced) == (seed, balanced) and (run.point == point or (point is None and run.point != run.point))
    ]
    return run.kept


def hardest(number, score=SCORE):
    return set(np.argsort(-score)[:number])


def hardest_of_classes(numbers, score=SCORE):
    return set().union(*(np.flatnonzero(c == LABELS)[np.argsort(-score[c == LABELS])[:n]] for c, n in enumerate(numbers)))


@pytest.mark.parametrize(
    ("experiment", "points", "random"),
    [
        ("sliding_window", [0, 0.3, 0.6], [NAN]),
        ("prune_easiest", SHARES, SHARES),
        ("prune_hardest", SHARES, SHARES),
        ("prune_fixed", [0.5], [0.5]),
        ("prune_stratified", SHARES, SHARES),
        ("clusters", SHARES, SHARES),
        ("curriculum", ["easiest", "hardest"], [NAN]),
        ("score_epoch", SHARES, SHARES),
        ("seeds", [0.5], [0.5]),
        ("transfer", [0.5], [0.5]),
    ],
)
def test_every_point_is_planned_with_every_seed(plan, experiment, points, random):
    assert str([(run.point, run.seed) for run in plan(experiment)]) == str([(p, seed) for p in points for seed in (0, 1)])
    assert str([(run.point, run.seed) for run in plan(experiment, "random")]) == str([(p, s) for p in random for s in (0, 1)])
    full = plan(experiment, "full")
    assert str([(run.point, run.seed, run.balanced, run.budget) for run in full]) == str(
        [(NAN, seed, False, "epochs") for seed in (0, 1)]
    )
    assert all(np.array_equal(run.kept, np.arange(100)) for run in full)


def test_this_file_plans_every_experiment_that_trains():
    assert set(CHANGES) == set(SWEPT) - {*VARIED, "relabel"}  # which are in test_vary.py and test_relabel.py


def test_every_variant_is_planned_and_both_budgets_share_a_subset(plan):
    runs = plan("prune_easiest", balanced=[False, True], budget=["epochs", "steps"], shares=[0.5])
    assert [(run.balanced, run.budget, run.seed) for run in runs] == [
        (balanced, budget, seed) for balanced in (False, True) for budget in ("epochs", "steps") for seed in (0, 1)
    ]
    subsets = {(run.balanced, run.budget): run.kept for run in runs if run.seed == 0}
    assert np.array_equal(subsets[False, "epochs"], subsets[False, "steps"])
    assert np.array_equal(subsets[True, "epochs"], subsets[True, "steps"])
    assert not np.array_equal(subsets[False, "epochs"], subsets[True, "epochs"])


def test_pruning_the_easiest_keeps_the_hardest_and_the_other_way_round(plan):
    for share, left in zip(SHARES, (80, 50, 20), strict=True):
        assert set(kept(plan("prune_easiest"), share)) == hardest(left)
        assert set(kept(plan("clusters"), share)) == hardest(left)
        assert set(kept(plan("prune_hardest"), share)) == hardest(left, -SCORE)
    assert set(kept(plan("prune_fixed"), 0.5)) == hardest(50)
    assert set(kept(plan("sliding_window"), 0.3)) == hardest(70) - hardest(30)


@pytest.mark.parametrize("balanced", [False, True])
def test_windows_at_the_ends_are_the_subsets_of_pruning_so_that_runs_are_shared(plan, balanced):
    settings = {"score": TIED, "balanced": [balanced]}
    windows = plan("sliding_window", **settings)
    without_easiest, without_hardest = (plan(name, shares=[0.6], **settings) for name in ("prune_easiest", "prune_hardest"))
    for seed in (0, 1):
        assert np.array_equal(kept(windows, 0.6, seed, balanced), kept(without_easiest, 0.6, seed, balanced))
        assert np.array_equal(kept(windows, 0, seed, balanced), kept(without_hardest, 0.6, seed, balanced))


@pytest.mark.parametrize("balanced", [False, True])
def test_random_subsets_are_the_same_in_every_experiment(plan, balanced):
    runs = {name: plan(name, "random", balanced=[balanced]) for name in PRUNING}
    for share in SHARES:
        subsets = [kept(runs[name], share, 1, balanced) for name in PRUNING if any(run.point == share for run in runs[name])]
        assert len(subsets) == (5 if share == 0.5 else 4)
        assert all(np.array_equal(subset, subsets[0]) for subset in subsets)
    # a window of 40% leaves as many as pruning 60%
    pruned = plan("prune_hardest", "random", shares=[0.6], balanced=[balanced])
    assert np.array_equal(kept(runs["sliding_window"], None, 1, balanced), kept(pruned, 0.6, 1, balanced))
    first_epoch = kept(runs["curriculum"], None, 1, balanced)[0]
    assert np.array_equal(first_epoch, kept(runs["prune_easiest"], 0.5, 1, balanced))


def test_random_subsets_are_nested_and_fresh_for_every_seed(plan):
    shares = [0.1, 0.3, 0.5, 0.7, 0.9]
    runs = plan("prune_easiest", "random", shares=shares, recipe={"batch": 2}, missing_classes="allow")
    for seed in (0, 1):
        subsets = [set(kept(runs, share, seed)) for share in shares]
        assert [len(subset) for subset in subsets] == [90, 70, 50, 30, 10]
        assert all(smaller < larger for larger, smaller in zip(subsets, subsets[1:], strict=False))
    assert not np.array_equal(kept(runs, 0.5, 0), kept(runs, 0.5, 1))
    other = plan("prune_easiest", "random", shares=shares, recipe={"batch": 2}, missing_classes="allow", study_seed=1)
    assert not np.array_equal(kept(runs, 0.5, 0), kept(other, 0.5, 0))


def test_a_balanced_random_subset_keeps_the_same_share_of_every_class(plan):
    runs = plan("prune_easiest", "random", shares=[0.5, 0.9], balanced=[True])
    assert np.bincount(LABELS[kept(runs, 0.5, 0, True)]).tolist() == [25, 15, 10]
    assert np.bincount(LABELS[kept(runs, 0.9, 0, True)]).tolist() == [5, 3, 2]
    assert not np.array_equal(kept(runs, 0.5, 0, True), kept(runs, 0.5, 1, True))


@pytest.mark.parametrize("experiment", REPEATED_IN)
def test_a_subset_for_every_epoch_is_as_large_as_one_that_stays_and_all_examples_take_turns(plan, experiment):
    anew, stays = plan(experiment, REPEATED), plan(experiment, "random")
    assert str([(run.point, run.seed, run.budget) for run in anew]) == str([(run.point, run.seed, "epochs") for run in stays])
    for run, same in zip(anew, stays, strict=True):
        assert callable(run.kept), "all subsets of all trainings at once would fill the memory"
        epochs = run.with_subsets().kept
        assert [len(subset) for subset in epochs] == [len(same.kept)] * RECIPE["epochs"]
        turns = np.zeros(100, int)
        for subset in epochs:
            assert len(set(subset)) == len(subset)
            turns[subset] += 1
            assert np.ptp(turns) <= 1, "one example has had two turns more than another"
        assert [subset.tolist() for subset in run.with_subsets().kept] == [subset.tolist() for subset in epochs], (
            "the same once more"
        )
    first = [run.with_subsets().kept[0].tolist() for run in anew]
    assert first[0] != first[1], "every seed draws its own"
    assert len({tuple(subset) for subset in anew[0].with_subsets().kept}) == RECIPE["epochs"]


def test_a_subset_for_every_epoch_can_keep_the_same_share_of_every_class(plan):
    for run in plan("prune_easiest", REPEATED, balanced=[True], shares=[0.8]):
        assert [np.bincount(LABELS[subset]).tolist() for subset in run.with_subsets().kept] == [[10, 6, 4]] * RECIPE["epochs"]


def test_within_a_class_all_examples_take_turns(plan):
    for run in plan("prune_easiest", REPEATED, balanced=[True], shares=[0.8]):
        turns = np.bincount(np.concatenate(run.with_subsets().kept), minlength=100)
        assert max(np.ptp(turns[label == LABELS]) for label in range(3)) <= 1


def test_a_class_that_no_epoch_has_is_refused(plan):
    """2% of 50, 30 and 20 examples are two: one of the first class, and one of the second, of which more is left over."""
    settings = {"balanced": [True], "shares": [0.98], "recipe": {"batch": 2}}
    with pytest.raises(PipelineError, match="no example of class cat is left"):
        plan("prune_easiest", REPEATED, missing_classes="error", **settings)
    assert len(plan("prune_easiest", REPEATED, missing_classes="allow", **settings)) == 2


def test_with_as_many_steps_as_on_all_data_no_subset_is_drawn_for_every_epoch(plan):
    runs = plan("prune_easiest", REPEATED, budget=["epochs", "steps"], shares=[0.5])
    assert [run.budget for run in runs] == ["epochs", "epochs"]


def test_another_share_changes_no_subset_of_an_epoch(plan):
    alone = kept([run.with_subsets() for run in plan("prune_easiest", REPEATED, shares=[0.5])], 0.5)
    among = kept([run.with_subsets() for run in plan("prune_hardest", REPEATED, shares=[0.2, 0.5])], 0.5)
    assert [subset.tolist() for subset in alone] == [subset.tolist() for subset in among]


def test_every_training_goes_by_the_scores_of_its_seed(plan):
    scores = np.stack([SCORE, -SCORE])
    runs = plan("seeds", score=scores, seeds=3)
    assert [set(kept(runs, 0.5, seed)) for seed in range(3)] == [hardest(50), hardest(50, -SCORE), hardest(50)]
    assert plan("seeds", score=np.stack([SCORE, np.zeros(100)])) == [], "one of them has no order"


def test_ties_fall_anew_for_every_seed_and_metric_and_never_outrank_a_score(plan):
    subsets = {(metric, seed): kept(plan("prune_hardest", metric, TIED), 0.8, seed) for metric in "ab" for seed in (0, 1)}
    tied = plan("prune_hardest", "a", TIED, shares=[0.75])  # 25: two whole groups of 10, and half of the third
    assert set(TIED[subsets["a", 0]]) == {0, 1}
    assert all(np.array_equal(subset, subsets["a", 0]) for subset in subsets.values()), "20 are whole groups: no tie to break"
    assert not np.array_equal(kept(tied, 0.75, 0), kept(tied, 0.75, 1))
    assert not np.array_equal(kept(tied, 0.75, 0), kept(plan("prune_hardest", "b", TIED, shares=[0.75]), 0.75, 0))
    for seed in (0, 1):
        assert np.bincount(TIED[kept(tied, 0.75, seed)].astype(int)).tolist() == [10, 10, 5]


@pytest.mark.parametrize("experiment", PRUNING)
def test_the_same_plan_is_made_again(plan, experiment):
    first, again = plan(experiment, score=TIED), plan(experiment, score=TIED)
    for one, other in zip(first, again, strict=True):
        epochs = one.kept if isinstance(one.kept, list) else [one.kept]
        epochs_again = other.kept if isinstance(other.kept, list) else [other.kept]
        assert all(np.array_equal(a, b) for a, b in zip(epochs, epochs_again, strict=True))


@pytest.mark.parametrize("balanced", [False, True])
def test_stratified_leaves_out_the_hardest_and_covers_the_rest(plan, balanced):
    runs = plan("prune_stratified", balanced=[balanced])
    for share, left in zip(SHARES, (80, 50, 20), strict=True):
        subset = kept(runs, share, 0, balanced)
        assert len(subset) == left
        assert not set(subset) & (hardest_of_classes([5, 3, 2]) if balanced else hardest(10))
    if not balanced:
        fifths = np.minimum(SCORE[kept(runs, 0.5)] // 18, 4).astype(int)  # of the ranks 0..89
        assert np.bincount(fifths).tolist() == [10] * 5
    assert not np.array_equal(kept(runs, 0.5, 0, balanced), kept(runs, 0.5, 1, balanced))


def test_another_share_changes_no_stratified_subset(plan):
    alone = plan("prune_stratified", shares=[0.5], cutoffs=[0.1])
    assert np.array_equal(kept(alone, 0.5), kept(plan("prune_stratified"), 0.5))


@pytest.mark.parametrize("experiment", ["score_epoch", "seeds", "transfer"])
def test_a_score_without_any_order_is_left_out_with_a_word_where_many_scores_are_compared(plan, experiment, caplog):
    with caplog.at_level("WARNING", logger="pipeline"):
        assert plan(experiment, "flip_at_2", np.ones(100)) == []
    assert f"{experiment} of insects by flip_at_2: every example has the same score (1): left out" in caplog.text
    assert np.array_equal(kept(plan(experiment), 0.5), kept(plan("prune_easiest"), 0.5)), "any other prunes as everywhere"


def grows(epochs, **settings):
    return [float(share) for share in sizes.curriculum({"every": None} | settings, epochs, "curriculum by x")]


def test_the_sizes_of_a_curriculum_by_hand():
    # three additions in the first half of twelve epochs: one every second
    assert grows(12, begin=0.5, add=0.2) == [0.5, 0.5, 0.7, 0.7, 0.9, 0.9, *[1] * 6]
    assert grows(12, begin=0.5, add=0.25, every=3) == [0.5] * 3 + [0.75] * 3 + [1] * 6
    assert grows(4, begin=0.4, add=0.2) == [0.4, 0.6, 0.8, 1], "half of four epochs are too few: one each"
    # 0.1 added nine times is 0.9999999999999999 in floating point: an epoch with all but the last example
    assert grows(40, begin=0.1, add=0.1)[-22:] == [1] * 22
    assert grows(20, begin=0.5, add=0.5) == [0.5] * 10 + [1] * 10


@pytest.mark.parametrize(("epochs", "settings"), [(3, {"begin": 0.4, "add": 0.2}), (12, {"begin": 0.4, "add": 0.2, "every": 4})])
def test_a_curriculum_that_does_not_fit_is_refused(epochs, settings):
    every = settings.get("every", 1)
    message = rf"by x: 3 additions, one every {every} epoch\(s\), do not fit into the {epochs} epochs.*larger `add`"
    with pytest.raises(PipelineError, match=message):
        grows(epochs, **settings)


@pytest.mark.parametrize("balanced", [False, True])
def test_a_curriculum_begins_at_its_end_and_grows_to_all_data(plan, balanced):
    runs = plan("curriculum", balanced=[balanced])
    for metric_runs, point in ((runs, "easiest"), (runs, "hardest"), (plan("curriculum", "random", balanced=[balanced]), None)):
        epochs = kept(metric_runs, point, 0, balanced)
        assert [len(subset) for subset in epochs] == [50, 50, 70, 70, 90, 90, *[100] * 6]
        assert all(set(a) <= set(b) for a, b in zip(epochs, epochs[1:], strict=False))
    for point, score in (("easiest", -SCORE), ("hardest", SCORE)):
        expected = hardest_of_classes([25, 15, 10], score) if balanced else hardest(50, score)
        assert set(kept(runs, point, 0, balanced)[0]) == expected


@pytest.mark.parametrize(
    ("experiment", "metric", "changes", "says"),
    [
        ("prune_easiest", "el2n", {"shares": [0.5, 0.98]}, "prune_easiest of insects by el2n, 0.98: 2 examples"),
        ("sliding_window", "el2n", {"size": 0.03, "starts": [0.5]}, "sliding_window of insects by el2n, 0.5: 3 examples"),
        ("sliding_window", "random", {"size": 0.03, "starts": [0.5]}, "sliding_window of insects by random: 3 examples"),
        ("curriculum", "el2n", {"begin": 0.01}, "curriculum of insects by el2n, easiest: 1 examples"),
    ],
)
def test_a_subset_smaller_than_a_batch_is_refused(plan, experiment, metric, changes, says):
    with pytest.raises(PipelineError, match=f"^{says} are fewer than one batch of 4. Prune less \\(under `experiments:` of"):
        plan(experiment, metric, missing_classes="allow", **changes)


def test_a_subset_of_one_batch_is_enough(plan):
    assert len(kept(plan("prune_easiest", shares=[0.96], missing_classes="allow"), 0.96)) == 4


def test_a_constant_score_is_refused_with_the_key_to_change(plan):
    message = (
        "^prune_hardest of insects by el2n: every example has the same score .3., so there is no order to prune by. "
        "Leave this metric out of `experiments.prune_hardest.metrics`"
    )
    with pytest.raises(PipelineError, match=message):
        plan("prune_hardest", score=np.full(100, 3.0))


def test_a_subset_that_loses_a_class_is_refused_before_any_training(plan):
    by_class = LABELS + SCORE / 1000  # the cats are the hardest
    with pytest.raises(PipelineError, match=r"sliding_window of insects by el2n, 0: no example of class bee, cat is left among 40"):
        plan("sliding_window", score=by_class)
    assert len(plan("sliding_window", score=by_class, missing_classes="allow")) == 6
    assert len(plan("sliding_window", score=by_class, balanced=[True])) == 6, "a window of every class"
    assert len(plan("curriculum", score=by_class)) == 4, "in the end a curriculum has them all"
