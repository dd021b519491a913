"""Every metric on an ensemble that was worked out by hand (tests/unit/recordings.py), and what holds for all of them."""

import sys
from math import log

import numpy as np
import pytest

from pipeline_lib import metrics
from pipeline_lib.dynamics import Dynamics
from pipeline_lib.errors import PipelineError
from tests.unit.recordings import by_hand, invented, of_logits, score

EXPECTED = {
    # ||(-.2, .1, .1)||; mean of sqrt(.875), sqrt(.375), sqrt(.875); sqrt(1.26); mean of sqrt(.015), sqrt(.74), sqrt(.015)
    "el2n": [0.06**0.5, (2 * 0.875**0.5 + 0.375**0.5) / 3, 1.26**0.5, (2 * 0.015**0.5 + 0.74**0.5) / 3],
    # per class the deviation with ddof 1: example 1 has .5, .25, .25 in each; example 3 .9, .3, .9 / .05, .4, .05 / .05, .3, .05
    "std": [0, 3 * (0.125 / 6) ** 0.5, 0, 0.12**0.5 + (0.245 / 6) ** 0.5 + (0.125 / 6) ** 0.5],
    "pred_sum": [0, 2, 3, 1],
    "flip": [1 / 3, 2 / 3, 1 / 3, 2 / 3],
    "forget_raw": [0, 2 / 3, 0, 0],
    # example 2 is never right: 2 epochs in each seed; example 3 is never right in the second seed
    "forget": [0, 2 / 3, 2, 2 / 3],
    # the label leads by 0 after the first epoch; after the last by ln 8; by -ln 2, ln 2, -ln 2; by -ln 6; by ln 18, ln .75, ln 18
    "aum": [-log(8) / 2, log(2) / 6, log(6) / 2, -(2 * log(18) + log(0.75)) / 6],
    # example 0 leads by 1, 3, 1, 2, 0, 3; example 1 by -1, -1, -2, -1, -3, -1; example 3 where it was trained on by 1, -3, 5
    "aum_training": [-10 / 6, 9 / 6, 9 / 6, -1],
    # mean over both epochs and all seeds, label against the next: 17/30 to 13/60; 1/3 to 1/3; 13/60 to 7/15; 31/60 to 1/4
    "margin": [-log(34 / 13), 0, log(28 / 13), -log(31 / 15)],
    # the label has 1/3 after the first epoch; after the last .8; 1/3 on average; .1; .7 on average
    "confidence": [1 - 17 / 30, 2 / 3, 1 - 13 / 60, 1 - 31 / 60],
    # of two values half their difference; example 1: 1/12, 1/6, 1/12; example 3: 17/30, 1/30, 17/30
    "variability": [7 / 30, (1 / 3) / 6, 7 / 60, (35 / 30) / 6],
    # of two values their difference over sqrt 2
    "dyn_unc": [7 / 15 / 2**0.5, (1 / 3) / 3 / 2**0.5, 7 / 30 / 2**0.5, (35 / 30) / 3 / 2**0.5],
    # the means over seeds are (.8, .1, .1), (1/3, 1/3, 1/3), (.6, .3, .1), (.7, 1/6, 2/15)
    "entropy": [
        -0.8 * log(0.8) - 0.2 * log(0.1),
        log(3),
        -0.6 * log(0.6) - 0.3 * log(0.3) - 0.1 * log(0.1),
        -0.7 * log(0.7) - log(1 / 6) / 6 - log(2 / 15) * 2 / 15,
    ],
    "loss": [-log(0.8), 5 / 3 * log(2), log(10), -(2 * log(0.9) + log(0.3)) / 3],
    "student_teacher": [log(3 * 0.8), log(3) - 5 / 3 * log(2), log(0.3), log(3) + (2 * log(0.9) + log(0.3)) / 3],
    "grand": [1, 3, 4, 4],
    "grand_full": [2, 5, 6, 4],
    "prototype": [1, 2, 5, 5],
}
PARAMETERS = {"dyn_unc": {"window": 2}}  # its default does not fit into two epochs
SIGNED = ("aum", "aum_training", "margin", "student_teacher")


@pytest.mark.parametrize("name", EXPECTED)
def test_hand_computed(name):
    values = score(name, by_hand(), **PARAMETERS.get(name, {}))
    assert values == pytest.approx(np.array(EXPECTED[name], dtype=float), abs=1e-6)


def test_every_dynamics_metric_has_a_hand_computed_case():
    assert {name for name in metrics.names() if metrics.load(name).NEEDS == "dynamics"} == set(EXPECTED)


def test_an_earlier_epoch_can_be_asked_for():
    # after epoch 1 every probability is 1/3: the error is (-2/3, 1/3, 1/3) whatever the label
    assert score("el2n", by_hand(), epoch=1) == pytest.approx(np.full(4, (6 / 9) ** 0.5), abs=1e-6)
    assert score("std", by_hand(), epoch=1) == pytest.approx(np.zeros(4), abs=1e-6)
    assert score("pred_sum", by_hand(), epoch=1).tolist() == [1, 0, 3, 3]
    assert score("loss", by_hand(), epoch=1) == pytest.approx(np.full(4, log(3)), abs=1e-6)
    assert score("entropy", by_hand(), epoch=1) == pytest.approx(np.full(4, log(3)), abs=1e-6)
    assert score("grand", by_hand(), epoch=1).tolist() == [2, 2, 2, 4]
    assert score("grand_full", by_hand(), epoch=1).tolist() == [3, 3, 3, 4]


@pytest.mark.parametrize("name", ["el2n", "std", "pred_sum", "loss", "entropy", "grand", "grand_full"])
def test_an_epoch_that_was_not_recorded_is_refused(name):
    with pytest.raises(PipelineError, match="epoch 3 .* recorded epochs 1 to 2"):
        score(name, by_hand(), epoch=3)


@pytest.mark.parametrize("name", EXPECTED)
def test_scores_follow_their_examples(name):
    order = np.random.default_rng(1).permutation(200)
    assert score(name, invented(order=order)) == pytest.approx(score(name, invented())[order])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_subset_without_the_last_class_scores_as_it_does_among_all(name):
    """Defect of another implementation (DRoP's): one-hot labels sized by the largest label present."""
    subset = np.flatnonzero(invented().labels < 4)
    assert score(name, invented(order=subset)) == pytest.approx(score(name, invented())[subset])


@pytest.mark.parametrize("name", EXPECTED)
def test_shape_type_and_finiteness(name):
    values = score(name, invented())
    assert values.shape == (200,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert name in SIGNED or (values >= 0).all()


@pytest.mark.parametrize("name", ["el2n", "pred_sum", "aum", "margin", "confidence", "loss"])
def test_more_wrong_is_never_easier(name):
    base = invented()
    before = np.stack([[base.probabilities(seed, epoch) for epoch in range(base.epochs)] for seed in base.seeds])
    rows = np.arange(base.examples)
    after, others = before.copy(), before.copy()
    others[:, :, rows, base.labels] = -1
    strongest = others.argmax(axis=3)[..., None]
    moved = 0.5 * before[:, :, rows, base.labels]  # half of the label's probability goes to the strongest other class
    after[:, :, rows, base.labels] -= moved
    np.put_along_axis(after, strongest, np.take_along_axis(after, strongest, axis=3) + moved[..., None], axis=3)
    easier, harder = (score(name, of_logits(np.log(p), base.labels)) for p in (before, after))
    assert (harder >= easier).all()
    assert (harder > easier).any()


# an example that all models get right, and one that all get wrong, always in the same way and with full confidence
BLIND = ("flip", "forget_raw", "std", "variability", "dyn_unc", "entropy", "student_teacher")
RECORDED = ("grand", "grand_full", "prototype")  # the recorder's numbers, tested with it


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - set(RECORDED)))
def test_always_wrong_is_harder_than_always_right_except_for_metrics_that_see_only_change(name):
    logits = np.broadcast_to([[0.0, 30.0, 0.0], [30.0, 0.0, 0.0]], (3, 6, 2, 3))
    right, wrong = score(name, of_logits(logits, [1, 1]))
    if name in BLIND:
        assert wrong == pytest.approx(right, abs=1e-9)
    else:
        assert wrong > right + 0.5


def test_el2n_stays_within_its_range():
    values = score("el2n", invented())
    assert values.max() <= np.sqrt(2)


def test_never_learned_is_hardest_in_forget_and_easiest_in_the_raw_count():
    """Defect of five other implementations: an example that is wrong all along has no forgetting event and ranks as easy."""
    labels = np.zeros(3, dtype=int)
    #                    learned at once, forgotten twice,  never right
    predicted = np.array([[0, 0, 0, 0, 0], [0, 1, 0, 1, 0], [1, 1, 1, 1, 1]]).T
    dynamics = Dynamics([{"logits": np.zeros((5, 3, 2)), "prediction": predicted}], labels)
    assert score("forget", dynamics).tolist() == [0, 2, 5]
    assert score("forget_raw", dynamics).tolist() == [0, 2, 0]


def test_std_uses_the_unbiased_deviation_and_needs_two_seeds():
    one = Dynamics([{"logits": np.zeros((1, 2, 2)), "prediction": np.zeros((1, 2), dtype=int)}], np.zeros(2, dtype=int))
    with pytest.raises(PipelineError, match="at least 2 ensemble seeds"):
        score("std", one)


def test_more_than_127_classes():
    """Defect of the thesis's code: predictions in 8 bits."""
    predicted = np.array([[200], [72]], dtype=np.int16)  # 200 - 256 = -56, 72 = 328 - 256
    dynamics = Dynamics([{"logits": np.zeros((2, 1, 400)), "prediction": predicted}], np.array([200]))
    assert score("flip", dynamics).tolist() == [1]
    assert score("forget", dynamics).tolist() == [1]


def test_predictions_are_the_exact_ones_not_those_of_rounded_logits():
    exact = np.array([[1.0, 1.0001]])
    rounded = exact.astype(np.float16)
    assert rounded[0, 0] == rounded[0, 1]
    dynamics = Dynamics([{"logits": rounded[None], "prediction": np.array([[1]])}], np.array([1]))
    assert score("pred_sum", dynamics).tolist() == [0]


class Points:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0], [10.0, 1.0]], dtype=np.float32)
    centroids = np.array([[0.0, 0.0], [10.0, 0.0]], dtype=np.float32)


def test_km_is_the_distance_to_the_nearest_centre():
    assert score("km", Points()).tolist() == pytest.approx([0, 5, 0, 1])


def test_random_is_a_seeded_order_without_ties():
    first = score("random", 50, rng=np.random.default_rng(0))
    assert np.array_equal(first, score("random", 50, rng=np.random.default_rng(0)))
    assert not np.array_equal(first, score("random", 50, rng=np.random.default_rng(1)))
    assert sorted(first * 50) == pytest.approx(list(range(50)))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("NEEDS = 'dynamics'\ndef score(dynamics): ...", "mine.py lacks FORMULA, RANGE"),
        (
            "NEEDS = 'dynamic'\nFORMULA = RANGE = ''\ndef score(d): ...",
            "NEEDS is 'dynamic'; accepted: dynamics, clusters, images, examples",
        ),
        ("def score(:", "mine.py cannot be imported: invalid syntax"),
        ("import nowhere", "mine.py cannot be imported: No module named 'nowhere'"),
    ],
)
def test_a_metric_file_that_is_not_one_is_refused(tmp_path, monkeypatch, text, says):
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.setattr(metrics, "__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "pipeline_lib.metrics.mine", raising=False)
    with pytest.raises(PipelineError, match=says):
        metrics.load("mine")
    sys.modules.pop("pipeline_lib.metrics.mine", None)


@pytest.mark.parametrize("name", metrics.names())
def test_a_metric_file_says_what_it_is(name):
    module = metrics.load(name)
    assert module.NEEDS in metrics.SOURCES
    assert module.FORMULA
    assert module.RANGE
    assert "score_i" in module.__doc__
    assert "Source:" in module.__doc__ or name == "random"
    assert set(getattr(module, "CHECKS", {})) <= set(metrics.parameters(name))
    assert getattr(module, "RECORDED", "") in ("", "end", "grand_full")


DYNAMIC = sorted(EXPECTED)


@pytest.mark.parametrize("name", DYNAMIC)
def test_a_metric_until_the_last_epoch_is_the_metric(name):
    whole = invented()
    assert np.array_equal(score(name, whole.until(whole.epochs)), score(name, whole))


@pytest.mark.parametrize("name", [name for name in DYNAMIC if metrics.recorded(name) != "end"])
@pytest.mark.parametrize("until", range(5))
def test_a_metric_of_fewer_epochs_is_that_of_a_shorter_training(name, until):
    parameters = metrics.parameters(name)
    if until < metrics.fewest_epochs(name, parameters):
        return
    long, short = invented(), invented()
    for seed in short._seeds:
        seed["logits"], seed["prediction"] = seed["logits"][:until], seed["prediction"][:until]
        if not until:  # the untrained networks are the only epoch
            seed["logits"], seed["prediction"] = seed["initial"][None], seed["initial"].argmax(axis=1)[None]
        seed["grand"] = seed["grand"][[0, *range(1, until + 1)] if until else [0, 0]]
        epochs = range(until + 1) if until else range(2)
        seed["grand_full"], seed["grand_full_epochs"] = seed["grand_full"][[e if until else 0 for e in epochs]], np.array(epochs)
    assert np.array_equal(score(name, long.until(until)), score(name, Dynamics(short._seeds, short.labels)))


@pytest.mark.parametrize("name", DYNAMIC)
def test_fewer_epochs_than_a_metric_needs_give_it_no_order(name):
    """What `fewest_epochs` says is needed."""
    fewest = metrics.fewest_epochs(name, metrics.parameters(name))
    for until in range(fewest):
        try:
            found = score(name, invented().until(until))
        except PipelineError:
            continue
        assert np.ptp(found) == 0


@pytest.mark.parametrize(
    ("values", "epochs"),
    [
        ({}, None),
        ({"epoch": "last"}, None),
        ({"epoch": 2}, 2),
        ({"epoch": 0}, 0),
        ({"early": 1, "late": "last"}, None),
        ({"early": 1, "late": 3}, 3),
        ({"epoch": "last", "until": 4}, 4),
        ({"epoch": 2, "until": 4}, 2),
        ({"until": None}, None),
    ],
)
def test_after_how_many_epochs_an_ensemble_could_have_ended(values, epochs):
    assert metrics.last_epoch(values) == epochs


@pytest.mark.parametrize("name", ["confidence", "el2n"])
def test_well_learned_examples_keep_their_order(name):
    """In single precision 1 - p is 0 from a margin of 17 on."""
    margins = np.linspace(10, 40, 300)
    logits = np.zeros((1, 1, 300, 3))
    logits[0, 0, :, 1] = margins
    found = score(name, of_logits(logits, np.ones(300, dtype=int)))
    odds = 2 * np.exp(-margins)
    exact = odds / (1 + odds) * (1 if name == "confidence" else np.sqrt(1.5))  # two equal errors and their sum
    assert found == pytest.approx(exact, rel=1e-5)


def test_what_is_recorded_at_the_end_is_not_there_before():
    with pytest.raises(PipelineError, match="recorded after the last epoch only, not after 2"):
        score("prototype", invented().until(2))


def test_a_gradient_that_was_not_recorded_is_missed_by_its_epoch():
    few = invented()
    for seed in few._seeds:
        seed["grand_full"], seed["grand_full_epochs"] = seed["grand_full"][[0, 3]], np.array([0, 3])
    assert np.array_equal(score("grand_full", few, epoch=3), score("grand_full", invented(), epoch=3))
    assert np.array_equal(score("grand_full", few.until(3)), score("grand_full", invented(), epoch=3))
    with pytest.raises(PipelineError, match=r"after 5 epochs was asked for, .* recorded it after 0, 3; add .*grand_full\.epochs"):
        score("grand_full", few)


def test_the_input_norm_by_hand():
    images = np.zeros((2, 2, 1, 2), np.uint8)
    images[0, 0], images[1, 0] = [[0, 255]], [[255, 255]]  # mean 3/4, variance 3/16: -sqrt 3, and three times 1/sqrt 3
    images[:, 1] = 7  # no contrast: adds nothing
    assert metrics.load("input_norm").score(images) == pytest.approx([(3 + 1 / 3) ** 0.5, (2 / 3) ** 0.5])


def test_the_input_norm_is_that_of_what_networks_are_given():
    import torch

    from pipeline_lib.learn.augment import Images

    images = np.random.default_rng(0).integers(0, 200, (1500, 3, 4, 5)).astype(np.uint8)
    scaled = images / 255
    given = Images(images, scaled.mean(axis=(0, 2, 3)), scaled.std(axis=(0, 2, 3)), torch.device("cpu"))
    expected = given.clean(torch.arange(1500)).flatten(1).norm(dim=1)
    assert metrics.load("input_norm").score(images) == pytest.approx(expected.numpy(), rel=1e-5)
