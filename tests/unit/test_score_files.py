"""Scores, features and clusterings: what a metric may return, and the files that do not fit."""

import types

import h5py
import numpy as np
import pytest

from pipeline_lib import features, metrics, scores, storage
from pipeline_lib.data import dataset as canonical
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn.cluster import Clusters
from tests.unit import recordings

SCORE = np.array([0.5, 0, -1, 1e-300])


def test_scores_become_double_precision():
    checked = scores.check(np.array([1, 2, 3], dtype=np.float32), 3, "el2n")
    assert checked.dtype == np.float64
    assert checked.tolist() == [1, 2, 3]


@pytest.mark.parametrize("shape", [(3,), (5,), (4, 1), ()])
def test_a_metric_that_returns_another_shape_is_named(shape):
    with pytest.raises(PipelineError) as caught:
        scores.check(np.zeros(shape), 4, "el2n")
    assert str(caught.value) == f"metric el2n: must return one number per example, shape (4,), not {shape}"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_metric_that_returns_what_is_not_finite_is_named(bad):
    with pytest.raises(PipelineError, match=r"^metric el2n: 2 scores are not finite, the first for example 1$"):
        scores.check([0, bad, 1, bad], 4, "el2n")


def metric_of(score):
    return types.SimpleNamespace(NEEDS="examples", score=score)


def test_a_random_metric_draws_by_study_seed_and_name():
    metric = metric_of(lambda n, rng: rng.random(n))
    drawn = [
        scores.compute(name, metric, {}, [], np.zeros(4), "fingerprint", seed) for name, seed in [("a", 0), ("b", 0), ("a", 1)]
    ]
    assert np.array_equal(drawn[0], scores.compute("a", metric, {}, [], np.zeros(4), "fingerprint", 0))
    assert len({tuple(score) for score in drawn}) == 3


def test_what_a_metric_returns_is_checked():
    with pytest.raises(PipelineError, match="metric mine: must return one number per example"):
        scores.compute("mine", metric_of(lambda n, rng: np.zeros(n + 1)), {}, [], np.zeros(4), "fingerprint", 0)


def test_scores_come_back_as_they_went(tmp_path):
    path = tmp_path / "größe" / "el2n.h5"
    scores.write(path, SCORE, {"dataset": "fingerprint", "metric": "el2n", "parameters": {"epoch": "last"}})
    assert np.array_equal(scores.read(path, "fingerprint", 4), SCORE)
    with h5py.File(path) as file:
        assert file.attrs["orientation"] == "higher = harder"
        assert file["index"][:].tolist() == [0, 1, 2, 3]


def write_scores(path, arrays, dataset="fingerprint"):
    storage.write_h5(path, {"score": SCORE, "index": np.arange(len(arrays.get("score", SCORE)))} | arrays, {"dataset": dataset})


@pytest.mark.parametrize(
    ("arrays", "dataset", "what"),
    [
        ({}, "another", "was made for another data set"),
        ({"score": SCORE[:3]}, "fingerprint", "has 3 scores for 4 examples, or in another order"),
        ({"index": np.array([1, 0, 2, 3])}, "fingerprint", "has 4 scores for 4 examples, or in another order"),
        ({"score": np.array([0, np.nan, 1, 2])}, "fingerprint", "holds scores that are not finite"),
    ],
)
def test_a_score_file_that_does_not_fit_is_refused(tmp_path, arrays, dataset, what):
    write_scores(tmp_path / "el2n.h5", arrays, dataset)
    with pytest.raises(PipelineError, match=rf"el2n\.h5: {what}.*Delete it .*\(rule score\)"):
        scores.read(tmp_path / "el2n.h5", "fingerprint", 4)


@pytest.mark.parametrize("left", [0, 100, -1])
def test_a_score_file_cut_short_is_refused(tmp_path, left):
    path = tmp_path / "el2n.h5"
    write_scores(path, {})
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(PipelineError, match=r"el2n\.h5: damaged or cut short .*\(rule score\)"):
        scores.read(path, "fingerprint", 4)


POINTS = np.arange(8, dtype=np.float32).reshape(4, 2)
CLUSTERS = Clusters(POINTS, POINTS[:2], np.array([0, 1, 1, 1], np.int32), np.arange(4, dtype=np.float32), 2.5)
ATTRS = {"dataset": "fingerprint"}


@pytest.fixture
def files(tmp_path):
    storage.write_h5(tmp_path / "swav.h5", {"features": POINTS + 1, "prototypes": POINTS}, ATTRS)
    features.write_clusters(tmp_path / "km.h5", CLUSTERS, {"elbow_k": np.array([2, 3])}, ATTRS)
    return [tmp_path / "swav.h5", tmp_path / "km.h5"]


def test_a_clustering_comes_back_with_the_points_it_was_made_of(files):
    read = features.open_source(None, files, {"features": "prototypes"}, np.zeros(4), "fingerprint")
    for name in ("points", "centroids", "assignment", "distance", "inertia"):
        assert np.array_equal(getattr(read, name), getattr(CLUSTERS, name)), name
    assert np.array_equal(features.read_features(files[0], "backbone", "fingerprint", 4), POINTS + 1)


@pytest.mark.parametrize(
    ("arrays", "dataset", "what"),
    [
        ({"prototypes": POINTS}, "another", "was made for another data set"),
        ({"prototypes": POINTS[:3]}, "fingerprint", r"has prototypes of shape \(3, 2\) for 4 examples"),
        ({"prototypes": POINTS[:, 0]}, "fingerprint", r"has prototypes of shape \(4,\) for 4 examples"),
        ({"prototypes": POINTS * np.nan}, "fingerprint", "holds prototypes that are not finite"),
        ({"features": POINTS}, "fingerprint", "lacks prototypes"),
    ],
)
def test_a_feature_file_that_does_not_fit_is_refused(tmp_path, arrays, dataset, what):
    storage.write_h5(tmp_path / "swav.h5", arrays, {"dataset": dataset})
    with pytest.raises(PipelineError, match=rf"swav\.h5: {what}.*\(rule train_swav\)"):
        features.read_features(tmp_path / "swav.h5", "prototypes", "fingerprint", 4)


@pytest.mark.parametrize(
    ("points", "dataset"),
    [(POINTS, "another"), (POINTS[:3], "fingerprint"), (POINTS[:, :1], "fingerprint")],
    ids=["data set", "examples", "dimension"],
)
def test_a_clustering_of_something_else_is_refused(files, points, dataset):
    with pytest.raises(PipelineError, match=r"km\.h5: was made for other features or another data set.*\(rule cluster\)"):
        features.read_clusters(files[1], points, dataset)


@pytest.mark.parametrize("which", [0, 1])
def test_a_feature_or_cluster_file_cut_short_is_refused(files, which):
    files[which].write_bytes(files[which].read_bytes()[:-50])
    with pytest.raises(PipelineError, match=rf"{files[which].name}: damaged or cut short"):
        features.open_source(None, files, {"features": "prototypes"}, np.zeros(4), "fingerprint")


def test_a_metric_of_images_reads_them_and_refuses_those_of_another_data_set(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), dtype=np.uint8)
    data = Dataset(pixels, np.arange(6) % 2, pixels[:2], np.arange(2), ["a", "b"], [""] * 6)
    canonical.write(tmp_path / "dataset.h5", data, {})
    metric, paths = metrics.load("input_norm"), [tmp_path / "dataset.h5"]
    found = scores.compute("input_norm", metric, {}, paths, data.train_labels, data.fingerprint(), 0)
    assert np.array_equal(found, metric.score(pixels))
    with pytest.raises(PipelineError, match=r"dataset\.h5: holds another data set .*\(rule prepare_dataset\)"):
        scores.compute("input_norm", metric, {}, paths, data.train_labels, "another", 0)


def test_a_metric_is_given_its_own_parameters_and_not_those_that_choose_what_is_opened(tmp_path):
    ensemble = [f"{tmp_path}/seed{seed}.h5" for seed in range(3)]
    whole = recordings.invented(seeds=3)
    for path, seed in zip(ensemble, whole._seeds, strict=True):
        storage.write_h5(path, {name: np.asarray(array, dtype=np.float16) for name, array in seed.items()}, {"dataset": "x"})
    parameters = {"epoch": "last", "until": 2, "seeds": 2}
    found = scores.compute("el2n_early", metrics.load("el2n"), parameters, ensemble, whole.labels, "x", 0)
    assert found == pytest.approx(recordings.score("el2n", whole.until(2).subset([0, 1])), abs=1e-2)
    assert abs(found - recordings.score("el2n", whole)).max() > 0.1
