"""The metrics from the literature: against scipy and pandas, their limits, and what other implementations get wrong."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from pipeline_lib import metrics
from pipeline_lib.errors import PipelineError
from tests.unit.recordings import by_hand, invented, of_label_probabilities, of_logits, score


def probabilities(dynamics) -> np.ndarray:
    """(seed, epoch, example, class) by scipy."""
    logits = [[dynamics.logits(seed, epoch) for epoch in range(dynamics.epochs)] for seed in dynamics.seeds]
    return special.softmax(np.array(logits, dtype=np.float64), axis=3)


def test_loss_is_scipys_log_softmax():
    dynamics = invented()
    last = np.array([special.log_softmax(dynamics.logits(seed, -1), axis=1) for seed in dynamics.seeds])
    assert score("loss", dynamics) == pytest.approx(-last[:, np.arange(200), dynamics.labels].mean(axis=0), rel=1e-5)


def test_loss_keeps_its_digits_where_the_probability_is_one():
    # exp(-30) is lost beside 1 in single precision: 1 - p, and with it any order among the easiest, would be 0
    assert score("loss", of_logits([[[[30, 0], [35, 0]]]], [0, 0])) == pytest.approx(np.exp([-30.0, -35.0]), rel=1e-6, abs=0)


def test_entropy_is_scipys():
    dynamics = invented()
    assert score("entropy", dynamics) == pytest.approx(stats.entropy(probabilities(dynamics)[:, -1].mean(axis=0), axis=1), rel=1e-5)


def test_entropy_counts_zero_times_log_zero_as_zero_and_looks_at_no_label():
    logits = [[[[300, 0, 0], [0, 0, 0]]]]
    assert score("entropy", of_logits(logits, [0, 0])) == pytest.approx([0, np.log(3)])
    assert np.array_equal(score("entropy", of_logits(logits, [0, 0])), score("entropy", of_logits(logits, [2, 1])))


@pytest.mark.parametrize("window", [2, 3, 5])
def test_dyn_unc_is_pandas_rolling_deviation(window):
    dynamics = invented()
    label = probabilities(dynamics)[:, :, np.arange(200), dynamics.labels]
    rolling = [pd.DataFrame(p).rolling(window).std().mean().to_numpy() for p in label]
    assert score("dyn_unc", dynamics, window=window) == pytest.approx(np.mean(rolling, axis=0), rel=1e-4)


def test_shifting_a_trajectory_in_time_changes_a_windowed_score():
    """Defect of another implementation (DUAL's TDDS): its windows do not move, so every epoch counts alike."""
    early, middle = [0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1]
    dynamics = of_label_probabilities([early, middle])
    deviation = (1 / 3) ** 0.5  # of (0, 1, 1) and of (0, 0, 1)
    assert score("dyn_unc", dynamics, window=3) == pytest.approx([deviation / 4, 2 * deviation / 4], abs=1e-6)


def test_in_a_window_as_long_as_the_training_the_order_of_epochs_does_not_matter():
    trajectory = np.random.default_rng(0).random((20, 6))
    forwards, shuffled = (of_label_probabilities(p) for p in (trajectory, trajectory[:, [3, 0, 5, 1, 4, 2]]))
    assert score("dyn_unc", forwards, window=6) == pytest.approx(score("dyn_unc", shuffled, window=6), abs=1e-6)
    assert score("variability", forwards) == pytest.approx(score("variability", shuffled), abs=1e-6)
    assert score("dyn_unc", forwards, window=3) != pytest.approx(score("dyn_unc", shuffled, window=3), rel=0.01)


def test_aum_of_two_epochs_is_the_mean_of_both():
    """Defect of another implementation (DUAL's): the accumulator is reset every epoch, so only the last one counts."""
    logits, labels = np.random.default_rng(0).normal(size=(2, 2, 50, 4)), np.arange(50) % 4
    both, first, second = (score("aum", of_logits(z, labels)) for z in (logits, logits[:, :1], logits[:, 1:]))
    assert both == pytest.approx((first + second) / 2)
    assert both != pytest.approx(second, rel=0.01)


def test_aum_compares_with_the_strongest_other_class_not_the_strongest():
    # label leads 3 to 1; label trails 1 to 3; a tie
    assert score("aum", of_logits([[[[3, 1, 0], [1, 3, 0], [2, 2, 0]]]], [0, 0, 0])).tolist() == [-2, 2, 0]


def test_one_epoch_of_large_logits_rules_aum_but_not_margin():
    logits = np.zeros((1, 10, 1, 2))
    logits[0, :, 0] = [0, 1]  # label 0 trails by 1 in nine epochs
    logits[0, 4, 0] = [100, 0]  # and leads by 100 in one
    dynamics = of_logits(logits, [0])
    assert score("aum", dynamics) == pytest.approx([-(100 - 9) / 10])
    mean = (1 + 9 * special.expit(-1)) / 10
    assert score("margin", dynamics) == pytest.approx([-special.logit(mean)], rel=1e-5)
    assert score("margin", dynamics) > 0


def test_margin_is_finite_where_a_probability_is_zero():
    right, wrong = score("margin", of_logits([[[[500, 0], [0, 500]]]], [0, 0]))
    assert wrong == -right
    assert 80 < wrong < 88


def test_confidence_and_variability_are_the_axes_of_a_data_map():
    # easy to learn, hard to learn, ambiguous
    dynamics = of_label_probabilities([[0.9, 1, 1, 1], [0.1, 0, 0.1, 0], [0, 1, 0, 1]])
    assert score("confidence", dynamics) == pytest.approx([0.025, 0.95, 0.5], abs=1e-6)
    easy, hard, ambiguous = score("variability", dynamics)
    assert ambiguous == pytest.approx(0.5, abs=1e-6)  # the largest value there is
    assert max(easy, hard) < 0.06


@pytest.mark.parametrize(("name", "most"), [("confidence", 1), ("variability", 0.5), ("entropy", np.log(6))])
def test_bounded_scores_stay_within_their_range(name, most):
    assert score(name, invented()).max() <= most


def test_dyn_unc_reaches_its_range_and_no_further():
    for window in (2, 4):
        most = (window / (4 * (window - 1))) ** 0.5
        assert score("dyn_unc", of_label_probabilities([[0, 1] * 4]), window=window) == pytest.approx([most], abs=1e-6)
        assert score("dyn_unc", invented(), window=window).max() <= most


def test_the_student_teacher_gap_sees_what_is_learned_late():
    known, late, never, unlearned = [0.9, 0.9, 0.9], [0.1, 0.5, 0.9], [0.1, 0.1, 0.1], [0.5, 0.2, 0.1]
    dynamics = of_label_probabilities([known, late, never, unlearned])
    assert score("student_teacher", dynamics) == pytest.approx([0, np.log(9), 0, -np.log(5)], abs=1e-5)
    assert score("student_teacher", dynamics, early=2)[1] == pytest.approx(np.log(9 / 5), abs=1e-5)
    assert score("student_teacher", dynamics, late=2)[1] == pytest.approx(np.log(5), abs=1e-5)


def test_more_than_127_classes():
    logits = np.zeros((1, 2, 1, 400))
    logits[..., 328] = 5  # 328 - 256 = 72
    logits[..., 72] = 1
    for name in ("aum", "margin", "loss", "confidence"):
        right, wrong = (score(name, of_logits(logits, [label])) for label in (328, 72))
        assert wrong > right


def test_grand_before_the_first_step_is_no_pruning_score():
    """A published result that did not hold (Kirsch 2023): it can be asked for, and warns."""
    assert score("grand", by_hand(), epoch=0).tolist() == [9, 9, 9, 5]
    assert "not a pruning score" in metrics.caveat("grand", {"epoch": 0})
    assert metrics.caveat("grand", {"epoch": "last"}) == metrics.caveat("el2n", {"epoch": "last"}) == ""


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("dyn_unc", {"window": 3}, "a window of 3 epochs does not fit into the 2 .*lower the metric's `window` or raise"),
        ("student_teacher", {"early": 2}, "the student's epoch 2 is not before the teacher's 2"),
        ("student_teacher", {"late": 3}, "epoch 3 was asked for, but the ensemble recorded epochs 1 to 2"),
    ],
)
def test_parameters_that_the_recording_cannot_serve_are_refused(name, parameters, says):
    with pytest.raises(PipelineError, match=says):
        score(name, by_hand(), **parameters)


@pytest.mark.parametrize(
    ("name", "says"),
    [("variability", "needs at least 2 recorded epochs"), ("student_teacher", "is not before"), ("dyn_unc", "does not fit")],
)
def test_a_single_epoch_has_no_change_to_measure(name, says):
    with pytest.raises(PipelineError, match=says):
        score(name, invented(epochs=1))


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        *[("dyn_unc", "window", value) for value in (1, 2.0, True, "last")],
        *[("grand", "epoch", value) for value in (-1, 0.0, False, "first")],
        *[(name, "epoch", 0) for name in ("loss", "entropy")],
        *[("student_teacher", parameter, 0) for parameter in ("early", "late")],
    ],
)
def test_parameters_that_no_study_could_use_are_refused(name, parameter, value):
    with pytest.raises(ValueError, match=f"^{value!r} is not "):
        metrics.check(name, parameter, value)


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [("grand", "epoch", 0), ("grand", "epoch", 3), ("grand", "epoch", "last"), ("dyn_unc", "window", 2)],
)
def test_parameters_at_their_limits_are_taken(name, parameter, value):
    metrics.check(name, parameter, value)
