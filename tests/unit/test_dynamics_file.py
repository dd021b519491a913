"""Reading training dynamics: shapes, probabilities, epochs, and the files that do not fit."""

from contextlib import ExitStack

import numpy as np
import pytest

from pipeline_lib import dynamics, storage
from pipeline_lib.dynamics import Dynamics
from pipeline_lib.errors import PipelineError

EPOCHS, EXAMPLES, CLASSES, TESTED = 3, 5, 4, 2
LABELS = np.array([0, 1, 2, 3, 0])


def recorded(seed, epochs=EPOCHS, examples=EXAMPLES, classes=CLASSES):
    logits = np.random.default_rng(seed).normal(0, 4, (epochs, examples, classes)).astype(np.float16)
    return {
        "logits": logits,
        "prediction": logits.argmax(axis=2).astype(np.int16),
        "initial": np.random.default_rng(seed).normal(0, 1, (examples, classes)).astype(np.float16),
        "grand": np.random.default_rng(seed).random((epochs + 1, examples), dtype=np.float32),
        "prototype_distance": np.random.default_rng(seed).random(examples, dtype=np.float32),
        "training_logits": np.random.default_rng(seed).normal(size=(epochs, examples, 2)).astype(np.float32),
        "test_logits": np.random.default_rng(seed).normal(size=(epochs, TESTED, classes)).astype(np.float16),
    }


@pytest.fixture
def write(tmp_path):
    def write(name="seed0.h5", seed=0, dataset="fingerprint", **shape):
        storage.write_h5(tmp_path / name, recorded(seed, **shape), {"dataset": dataset})
        return tmp_path / name

    return write


def open_source(*paths, labels=LABELS, dataset="fingerprint"):
    with ExitStack() as stack:
        opened = dynamics.open_source(stack, list(paths), {}, labels, dataset)
        return [opened.logits(seed, epoch) for seed in opened.seeds for epoch in range(opened.epochs)]


@pytest.mark.parametrize(
    ("shapes", "labels", "message"),
    [
        ([{}, {"epochs": 2}], LABELS, r"one shape \(epochs, examples, classes\), not \[\(2, 5, 4\), \(3, 5, 4\)\]"),
        ([{}, {"classes": 3}], LABELS, r"one shape .*, not \[\(3, 5, 3\), \(3, 5, 4\)\]"),
        ([{}], LABELS[:4], "5 examples recorded, 4 labels given"),
        ([], LABELS, "one shape"),
    ],
)
def test_seeds_that_do_not_fit_each_other_or_the_labels_are_refused(shapes, labels, message):
    with pytest.raises(ValueError, match=message):
        Dynamics([recorded(0, **shape) for shape in shapes], labels)


def test_probabilities_are_the_softmax_of_the_logits():
    logits = np.array([[[0, np.log(3), 0], [5, 5, 5]]], dtype=np.float32)
    [row, even] = Dynamics([{"logits": logits, "prediction": logits.argmax(2)}], np.array([0, 1])).probabilities(0, 0)
    assert np.allclose(row, [0.2, 0.6, 0.2])
    assert np.allclose(even, 1 / 3)


@pytest.mark.parametrize("scale", [1, 1e3, 6e4])
def test_probabilities_sum_to_one_up_to_the_largest_half_precision_logits(scale):
    logits = (np.random.default_rng(0).uniform(-1, 1, (2, 50, 10)) * scale).astype(np.float16)
    read = Dynamics([{"logits": logits, "prediction": logits.argmax(2)}], np.zeros(50, int))
    probabilities = read.probabilities(0, 1)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(probabilities.argmax(axis=1), logits[1].argmax(axis=1))


def test_reading_probabilities_leaves_what_was_recorded_alone():
    seed = {"logits": np.array([[[1.0, 2.0]]], dtype=np.float32), "prediction": np.array([[1]])}
    read = Dynamics([seed], np.array([0]))
    read.probabilities(0, 0)
    assert seed["logits"].tolist() == [[[1.0, 2.0]]]


def test_predictions_are_those_from_before_the_rounding_to_half_precision():
    logits = np.array([[[2049.0, 2048.0]]], dtype=np.float16)  # equal in half precision: argmax would say 0
    read = Dynamics([{"logits": logits, "prediction": np.array([[1]], dtype=np.int16)}], np.array([1]))
    assert logits[0, 0].argmax() == 0
    assert read.predictions(0).tolist() == [[1]]
    assert read.correct(0).tolist() == [[True]]


def test_probabilities_of_the_label_and_their_mean():
    read = Dynamics([recorded(0), recorded(1)], LABELS)
    everything = np.array([[read.probabilities(seed, epoch) for epoch in range(EPOCHS)] for seed in range(2)])
    rows = np.arange(EXAMPLES)
    assert read.label_misses(1) == pytest.approx(1 - everything[1][:, rows, LABELS].astype(np.float64), rel=1e-5, abs=1e-6)
    assert read.mean_probabilities() == pytest.approx(everything.mean(axis=(0, 1)))
    assert read.mean_probabilities([2]) == pytest.approx(everything[:, 2].mean(axis=0))
    assert read.mean_probabilities(iter([0, 2])) == pytest.approx(everything[:, [0, 2]].mean(axis=(0, 1)))


def test_what_the_trainings_recorded_of_gradients_and_features():
    read = Dynamics([recorded(0), recorded(1)], LABELS)
    assert np.array_equal(read.grand(1, 0), recorded(1)["grand"][0])
    assert np.array_equal(read.grand(1, EPOCHS), recorded(1)["grand"][EPOCHS])
    assert np.array_equal(read.prototype_distance(1), recorded(1)["prototype_distance"])
    assert np.array_equal(read.training_logits(1), recorded(1)["training_logits"])


def test_a_subset_of_the_seeds_is_an_ensemble_of_its_own():
    read = Dynamics([recorded(seed) for seed in range(4)], LABELS)
    half = read.subset([3, 1])
    assert len(half.seeds) == 2
    assert np.array_equal(half.logits(0, 1), read.logits(3, 1))
    assert np.array_equal(half.logits(1, 1), read.logits(1, 1))
    assert np.array_equal(half.labels, LABELS)


def test_fewer_epochs_are_a_shorter_training():
    read = Dynamics([recorded(0), recorded(1)], LABELS).until(2)
    assert read.epochs == 2
    assert np.array_equal(read.logits(1, -1), recorded(1)["logits"][1])
    assert np.array_equal(read.predictions(1), recorded(1)["prediction"][:2])
    assert np.array_equal(read.grand(1, 2), recorded(1)["grand"][2])
    assert read.epoch_index("last") == 1
    assert read.subset([1]).epochs == 2
    for late in (lambda: read.logits(0, 2), lambda: read.grand(0, 3)):
        with pytest.raises(IndexError):
            late()
    assert read.until(3).epochs == 3, "nothing is forgotten"


def test_before_any_epoch_stand_the_untrained_networks():
    read = Dynamics([recorded(0), recorded(1)], LABELS).until(0)
    assert read.epochs == 1
    assert np.array_equal(read.logits(1, 0), recorded(1)["initial"].astype(np.float32))
    assert np.array_equal(read.logits(1, -1), read.logits(1, 0))
    assert read.predictions(1).tolist() == [recorded(1)["initial"].argmax(axis=1).tolist()]
    assert np.array_equal(read.grand(1, 1), recorded(1)["grand"][0])
    with pytest.raises(IndexError):
        read.logits(0, 1)


@pytest.mark.parametrize("epochs", [-1, 4])
def test_epochs_beyond_the_recorded_are_refused(epochs):
    with pytest.raises(PipelineError, match=rf"^{epochs} epochs were asked for, but the ensemble recorded 0 to 3$"):
        Dynamics([recorded(0)], LABELS).until(epochs)


def test_reading_parameters_choose_what_is_opened(write):
    paths = [write(f"seed {seed}.h5", seed) for seed in range(3)]
    with ExitStack() as stack:
        read = dynamics.open_source(stack, paths, {"until": 2, "seeds": 2, "epoch": "last"}, LABELS, "fingerprint")
        assert (read.epochs, list(read.seeds)) == (2, [0, 1])
        second = dynamics.open_source(stack, paths, {"seeds": 2, "group": 1}, LABELS, "fingerprint")
        both = [dynamics.open_source(stack, [paths[place]], {}, LABELS, "fingerprint") for place in (2, 0)]
        for position, alone in enumerate(both):  # the third, and as there is no fourth, the first
            np.testing.assert_array_equal(second.logits(position, 0), alone.logits(0, 0))
        with pytest.raises(PipelineError, match=r"^4 seeds were asked for, but the ensemble has 3$"):
            dynamics.open_source(stack, paths, {"seeds": 4}, LABELS, "fingerprint")


@pytest.mark.parametrize(("key", "value"), [("until", -1), ("until", 1.0), ("until", True), ("seeds", 0), ("seeds", "all")])
def test_what_is_no_number_of_epochs_or_seeds_is_refused(key, value):
    with pytest.raises(ValueError, match="is not a number of (epochs|seeds): a whole number from"):
        dynamics.CHECKS[key](value)


def test_an_epoch_is_counted_from_one_or_is_the_last():
    read = Dynamics([recorded(0)], LABELS)
    assert [read.epoch_index(epoch) for epoch in (1, 2, 3, "last")] == [0, 1, 2, 2]


@pytest.mark.parametrize("epoch", [0, -1, 4])
def test_an_epoch_that_was_not_recorded_is_refused(epoch):
    with pytest.raises(PipelineError, match=rf"^epoch {epoch} was asked for, but the ensemble recorded epochs 1 to 3$"):
        Dynamics([recorded(0)], LABELS).epoch_index(epoch)


@pytest.mark.parametrize("epoch", [0, "first", 1.0, True, None])
def test_what_is_no_epoch_is_refused(epoch):
    with pytest.raises(ValueError, match="is not an epoch: a whole number from 1, or last"):
        dynamics.check_epoch(epoch)


@pytest.mark.parametrize("source", ["arrays", "file"])
def test_logits_of_an_epoch_beyond_the_last_are_not_those_of_the_first(write, source):
    with ExitStack() as stack:
        seed = recorded(0) if source == "arrays" else stack.enter_context(storage.open_h5(write(), "train_seed"))
        read = Dynamics([seed], LABELS)
        assert np.array_equal(read.logits(0, -1), recorded(0)["logits"][2])
        with pytest.raises(IndexError):
            read.logits(0, EPOCHS)


def test_files_are_read_seed_by_seed(write):
    paths = [write(f"seed {seed}.h5", seed) for seed in range(2)]
    expected = [epoch for seed in range(2) for epoch in recorded(seed)["logits"].astype(np.float32)]
    assert np.array_equal(open_source(*paths), expected)


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_file_cut_short_is_refused(write, left):
    path = write()
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(PipelineError, match=r"seed0\.h5: damaged or cut short .*\(rule train_seed\)"):
        open_source(path)


@pytest.mark.parametrize("kinds", [("float32", "float32"), ("float32", "bfloat16")], ids=str)
def test_seeds_of_two_kinds_of_processor_are_told(tmp_path, caplog, kinds):
    paths = [tmp_path / f"seed{seed}.h5" for seed in range(2)]
    for seed, (path, kind) in enumerate(zip(paths, kinds, strict=True)):
        storage.write_h5(path, recorded(seed), {"dataset": "fingerprint", "recipe": {"precision": kind}})
    open_source(*paths)
    assert ("trained in bfloat16 and float32" in caplog.text) == (len(set(kinds)) > 1)


def test_a_file_of_another_data_set_is_refused(write):
    with pytest.raises(PipelineError, match=r"seed0\.h5: was recorded on another data set .*\(rule train_seed\)"):
        open_source(write(dataset="another"))


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ({"examples": 4}, r"seed1\.h5: has logits of shape \(3, 4, 4\) for 5 examples"),
        ({"epochs": 2}, r"seed1\.h5: has logits of shape \(2, 5, 4\), the other seeds \(3, 5, 4\)"),
        ({"classes": 3}, r"seed1\.h5: has logits of shape \(3, 5, 3\), the other seeds \(3, 5, 4\)"),
    ],
)
def test_the_file_that_does_not_fit_is_the_one_that_is_named(write, shape, what):
    with pytest.raises(PipelineError, match=rf"{what}\. Delete it .*\(rule train_seed\)"):
        open_source(write("seed0.h5"), write("seed1.h5", 1, **shape))


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"logits": recorded(0)["logits"]}, "lacks prediction, initial, grand, .*, test_logits"),
        (recorded(0) | {"prediction": np.zeros((2, 5))}, r"has logits of shape \(3, 5, 4\) and prediction of shape \(2, 5\)"),
        (recorded(0) | {"grand": np.zeros((3, 5))}, r"has logits of shape \(3, 5, 4\) and grand of shape \(3, 5\)"),
        (recorded(0) | {"initial": np.zeros((5, 3))}, r"has logits .* and initial of shape \(5, 3\)"),
        (
            recorded(0) | {"grand_full": np.zeros((2, 5)), "grand_full_epochs": np.array([1])},
            r"has .* grand_full of shape \(2, 5\)",
        ),
        (recorded(0) | {"test_logits": np.zeros((3, 2, 5))}, r"has logits .* and test_logits of shape \(3, 2, 5\)"),
        (recorded(0) | {"test_logits": np.zeros(3)}, r"has logits .* and test_logits of shape \(3,\)"),
        (recorded(0) | {"prototype_distance": np.zeros(4)}, r"has logits .* and prototype_distance of shape \(4,\)"),
        ({name: array[0] for name, array in recorded(0).items()}, r"has logits of shape \(5, 4\)"),
    ],
)
def test_a_file_with_other_arrays_is_refused(tmp_path, arrays, what):
    storage.write_h5(tmp_path / "seed0.h5", arrays, {"dataset": "fingerprint"})
    with pytest.raises(PipelineError, match=rf"seed0\.h5: {what}.*\(rule train_seed\)"):
        open_source(tmp_path / "seed0.h5")


def test_test_images_are_dynamics_of_their_own(write):
    with ExitStack() as stack:
        opened = dynamics.open_source(stack, [write("seed0.h5"), write("seed1.h5", 1)], {"until": 2}, LABELS, "fingerprint")
        tested = opened.of_test_images(np.array([3, 1]))
        assert (tested.examples, tested.classes, tested.epochs, len(tested.seeds)) == (TESTED, CLASSES, 2, 2)
        assert np.array_equal(tested.logits(1, 1), recorded(1)["test_logits"][1].astype(np.float32))
        with pytest.raises(ValueError, match="2 examples recorded, 5 labels given"):
            opened.of_test_images(LABELS)


def test_every_finite_half_becomes_the_same_number():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert len(halves) == 2**16 - 2 * 2**10
    found = dynamics.single(halves)
    assert found.dtype == np.float32
    assert np.array_equal(found, halves.astype(np.float32))
    assert np.array_equal(np.signbit(found), np.signbit(halves)), "minus zero stays what it is"
    assert np.array_equal(dynamics.single(halves.astype(np.float64)), halves.astype(np.float32)), "others as usual"


def test_a_label_that_no_model_believes_in_has_probability_zero_and_warns_nobody(recwarn):
    seed = recorded(0) | {"logits": np.full((1, 2, 3), -60_000, dtype=np.float16)}
    seed["logits"][0, :, 0] = 60_000
    found = Dynamics([seed], np.array([1, 0])).label_misses(0)
    assert found.tolist() == [[1, 0]]
    assert not recwarn.list
