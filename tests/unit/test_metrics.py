"""Every metric on an ensemble of 3 seeds x 2 epochs x 4 examples x 3 classes that was worked out by hand."""

import sys

import numpy as np
import pytest

from pipeline_lib import metrics
from pipeline_lib.dynamics import Dynamics
from pipeline_lib.errors import PipelineError

LABELS = np.array([0, 1, 2, 0])
# after the last epoch: (seed, example, class)
LAST = [
    [(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.6, 0.3, 0.1), (0.9, 0.05, 0.05)],
    [(0.8, 0.1, 0.1), (0.25, 0.5, 0.25), (0.6, 0.3, 0.1), (0.3, 0.4, 0.3)],
    [(0.8, 0.1, 0.1), (0.25, 0.25, 0.5), (0.6, 0.3, 0.1), (0.9, 0.05, 0.05)],
]
PREDICTED = [  # (seed, epoch, example)
    [[0, 1, 0, 1], [0, 0, 0, 0]],
    [[0, 1, 1, 1], [0, 1, 0, 1]],
    [[1, 1, 0, 1], [0, 2, 0, 0]],
]
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
}


def by_hand() -> Dynamics:
    seeds = [
        {"logits": np.log(np.stack([np.full((4, 3), 1 / 3), np.array(last)])), "prediction": np.array(predicted, dtype=np.int16)}
        for last, predicted in zip(LAST, PREDICTED, strict=True)
    ]
    return Dynamics(seeds, LABELS)


def invented(examples=200, seeds=4, epochs=5, classes=6, seed=0, order=None) -> Dynamics:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(seeds, epochs, examples, classes)) * 3
    order = np.arange(examples) if order is None else order
    return Dynamics(
        [{"logits": z[:, order], "prediction": z[:, order].argmax(axis=2).astype(np.int16)} for z in logits], labels[order]
    )


def score(name, dynamics, **parameters):
    return metrics.load(name).score(dynamics, **parameters)


@pytest.mark.parametrize("name", EXPECTED)
def test_hand_computed(name):
    assert score(name, by_hand()) == pytest.approx(np.array(EXPECTED[name], dtype=float), abs=1e-6)


def test_every_dynamics_metric_has_a_hand_computed_case():
    assert {name for name in metrics.names() if metrics.load(name).NEEDS == "dynamics"} == set(EXPECTED)


def test_an_earlier_epoch_can_be_asked_for():
    # after epoch 1 every probability is 1/3: the error is (-2/3, 1/3, 1/3) whatever the label
    assert score("el2n", by_hand(), epoch=1) == pytest.approx(np.full(4, (6 / 9) ** 0.5), abs=1e-6)
    assert score("std", by_hand(), epoch=1) == pytest.approx(np.zeros(4), abs=1e-6)
    assert score("pred_sum", by_hand(), epoch=1).tolist() == [1, 0, 3, 3]


def test_an_epoch_that_was_not_recorded_is_refused():
    with pytest.raises(PipelineError, match="epoch 3 .* recorded epochs 1 to 2"):
        score("el2n", by_hand(), epoch=3)


@pytest.mark.parametrize("name", EXPECTED)
def test_scores_follow_their_examples(name):
    order = np.random.default_rng(1).permutation(200)
    assert score(name, invented(order=order)) == pytest.approx(score(name, invented())[order])


@pytest.mark.parametrize("name", EXPECTED)
def test_shape_type_and_finiteness(name):
    values = score(name, invented())
    assert values.shape == (200,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert (values >= 0).all()


@pytest.mark.parametrize("name", ["el2n", "pred_sum"])
def test_more_wrong_is_never_easier(name):
    base = invented()
    probabilities = np.stack([base.probabilities(seed, -1) for seed in base.seeds])
    worse = probabilities.copy()
    moved = 0.5 * worse[:, np.arange(200), base.labels]  # half of the label's probability goes to the strongest other class
    others = worse.copy()
    others[:, np.arange(200), base.labels] = -1
    strongest = others.argmax(axis=2)
    worse[:, np.arange(200), base.labels] -= moved
    for seed in range(4):
        worse[seed, np.arange(200), strongest[seed]] += moved[seed]

    def of(p):
        return score(name, Dynamics([{"logits": np.log(q)[None], "prediction": q.argmax(axis=1)[None]} for q in p], base.labels))

    assert (of(worse) >= of(probabilities)).all()
    assert (of(worse) > of(probabilities)).any()


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


def test_a_subset_without_the_last_class_can_be_scored():
    """Defect of another implementation: one-hot labels sized by the largest label present."""
    dynamics = Dynamics([{"logits": np.zeros((1, 2, 5)), "prediction": np.zeros((1, 2), dtype=int)}], np.array([0, 1]))
    assert score("el2n", dynamics) == pytest.approx(np.full(2, (0.8**2 + 4 * 0.2**2) ** 0.5), abs=1e-6)


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
            "NEEDS is 'dynamic'; accepted: dynamics, clusters, examples",
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
