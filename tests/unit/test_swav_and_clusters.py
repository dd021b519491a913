"""SwAV, its collapse check, and k-means."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lightly.loss import SwaVLoss

from pipeline_lib.config import Swav
from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn import cluster, swav, views
from pipeline_lib.rng import derive_seed, generator

CPU = torch.device("cpu")
SETTINGS = Swav(
    precision="float32",
    width=4,
    epochs=12,
    batch=32,
    lr=0.01,
    prototypes=8,
    hidden=16,
    projection=8,
    min_scale=0.6,
    log_every=8,
    knn=5,
)


@pytest.fixture(scope="module")
def blocks():
    """Four kinds of images, each bright in another quarter."""
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    images = rng.integers(0, 60, size=(160, 1, 8, 8))
    for i, label in enumerate(labels):
        row, column = 4 * (label // 2), 4 * (label % 2)
        images[i, 0, row : row + 4, column : column + 4] += 150
    images = images.astype(np.uint8)
    return Dataset(images[:128], labels[:128], images[128:], labels[128:], list("abcd"), [str(i) for i in range(128)])


def test_features_and_prototype_scores_of_every_example(blocks):
    found = swav.train_swav(blocks, SETTINGS, 0, torch.device("cpu"))
    again = swav.train_swav(blocks, SETTINGS, 0, torch.device("cpu"))
    assert found.features.shape[0] == 128
    assert found.prototypes.shape == (128, 8)
    assert len(found.loss) == 12
    assert found.loss[-1] < np.log(8)
    assert found.knn_epochs.tolist() == [8, 12]
    assert found.knn_accuracy[-1] > 0.9
    assert np.array_equal(found.features, again.features)
    assert not np.array_equal(found.features, swav.train_swav(blocks, SETTINGS, 1, torch.device("cpu")).features)


def test_fewer_images_than_the_smallest_batch_are_one_batch(blocks, monkeypatch):
    monkeypatch.setattr(swav, "check_collapse", lambda *_: None)
    few = replace(blocks, train_images=blocks.train_images[:10], train_labels=blocks.train_labels[:10])
    found = swav.train_swav(few, SETTINGS.model_copy(update={"epochs": 1, "knn": 3}), 0, CPU)
    assert found.features.shape[0] == 10


def test_in_bfloat16_features_are_others_and_near(blocks, monkeypatch):
    """Steps and the features in the end: one epoch of small steps, in which roundings do not grow into another network."""
    monkeypatch.setattr(swav, "check_collapse", lambda *_: None)
    settings = SETTINGS.model_copy(update={"epochs": 1, "batch": 16, "lr": 1e-4})
    exact, coarse = (
        swav.train_swav(blocks, settings.model_copy(update={"precision": kind}), 0, CPU) for kind in ("float32", "bfloat16")
    )
    assert coarse.loss[0] != exact.loss[0]
    assert coarse.loss[0] == pytest.approx(exact.loss[0], rel=0.02)
    off = np.linalg.norm(coarse.features - exact.features) / np.linalg.norm(exact.features)
    assert 1e-4 < off < 0.1


def test_features_and_accuracy_are_those_of_the_trainings_precision(blocks, monkeypatch):
    monkeypatch.setattr(swav, "check_collapse", lambda *_: None)
    run = swav.SwavTraining(blocks, SETTINGS.model_copy(update={"precision": "bfloat16"}), 0, CPU)
    run.train(0)
    train, test = (torch.from_numpy(images) for images in (blocks.train_images, blocks.test_images))
    labels = [torch.from_numpy(part) for part in (blocks.train_labels, blocks.test_labels)]
    exact, coarse = (swav.forward(run.network, train, kind)[0] for kind in ("float32", "bfloat16"))
    assert not torch.equal(exact, coarse)
    assert np.array_equal(run.result(0.0).features, coarse.numpy())
    run.look(0)
    assert run._knn_accuracy == [swav.knn(coarse, swav.forward(run.network, test, "bfloat16")[0], *labels, SETTINGS.knn)]


def test_the_fast_path_is_a_plain_loop(blocks):
    """Against two passes per step over contiguous images, torch's own AdamW and cosine, from the same draws."""
    settings = SETTINGS.model_copy(update={"epochs": 3, "batch": 16, "weight_decay": 1e-2})
    fast = swav.train_swav(blocks, settings, 0, CPU)
    network = swav._Network(settings, 1, 8, derive_seed(0, "swav init")).to(memory_format=torch.contiguous_format).train()
    start = torch.cat([p.detach().flatten() for p in network.parameters()])
    orders, draws = generator(0, "swav order"), torch.Generator().manual_seed(derive_seed(0, "swav views"))
    criterion, batches = SwaVLoss(), 128 // 16
    plain = torch.optim.AdamW(network.parameters(), settings.lr, weight_decay=settings.weight_decay, foreach=False)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(plain, settings.epochs * batches)
    pixels, losses = torch.from_numpy(blocks.train_images).float() / 255, []
    for _ in range(settings.epochs):
        order, total = orders.permutation(128), 0.0
        one, two = (views.draw(128, 1, settings, draws, CPU).split(16) for _ in range(2))
        for number, index in enumerate(np.split(order, batches)):
            first, second = (2 * views.view(pixels[index], drawn[number]).contiguous() - 1 for drawn in (one, two))
            assert (first - second).abs().mean() > 0.01, "two views"
            with torch.no_grad():
                weight = network.prototypes.heads[0].weight
                weight.copy_(torch.nn.functional.normalize(weight, dim=1))
            plain.zero_grad()
            scores = network(torch.cat([first, second]))[1]
            loss = criterion(list(scores.chunk(2)), [])
            loss.backward()
            plain.step()
            cosine.step()
            total += loss.item()
        losses.append(total / batches)
    assert fast.loss == pytest.approx(losses, rel=1e-4)
    moved = torch.cat([p.detach().flatten() for p in network.parameters()]) - start
    assert moved.abs().max() > 0.01
    features, prototypes = (part.numpy() for part in swav.forward(network, torch.from_numpy(blocks.train_images), "float32"))
    assert np.allclose(fast.features, features, rtol=1e-2, atol=1e-3)
    assert np.allclose(fast.prototypes, prototypes, rtol=1e-2, atol=1e-3)


def test_a_small_data_set_is_trained_on_in_smaller_batches(blocks):
    one_batch = SETTINGS.model_copy(update={"batch": 512})
    assert swav.train_swav(blocks, one_batch, 0, torch.device("cpu")).loss[-1] < 0.9 * np.log(8)


def test_no_label_is_looked_at(blocks):
    shuffled = Dataset(**(vars(blocks) | {"train_labels": np.roll(blocks.train_labels, 1)}))
    kept = swav.train_swav(blocks, SETTINGS, 0, torch.device("cpu"))
    assert np.array_equal(kept.features, swav.train_swav(shuffled, SETTINGS, 0, torch.device("cpu")).features)


def test_a_loss_stuck_at_ln_k_is_a_collapse():
    spread = np.eye(8)[np.arange(64) % 8]
    swav.check_collapse(1.0, spread, SETTINGS)
    with pytest.raises(PipelineError, match=r"stuck at ln 8 = 2.079.*lower `lr`"):
        swav.check_collapse(2.07, spread, SETTINGS)


def test_all_examples_on_one_prototype_are_a_collapse():
    with pytest.raises(PipelineError, match="all examples are on 1 of 8 prototypes"):
        swav.check_collapse(1.0, np.eye(8)[np.zeros(64, dtype=int)], SETTINGS)


def test_a_collapsed_training_gives_no_features(blocks):
    frozen = SETTINGS.model_copy(update={"lr": 1e-12, "epochs": 1})
    with pytest.raises(PipelineError, match="collapsed"):
        swav.train_swav(
            Dataset(**(vars(blocks) | {"train_images": np.zeros_like(blocks.train_images)})), frozen, 0, torch.device("cpu")
        )


def test_knn_by_hand():
    bank = torch.tensor([[1.0, 0], [0.9, 0.1], [0, 1]])
    queries, labels = torch.tensor([[2.0, 0], [0, 3]]), torch.tensor([0, 0, 1])
    assert swav.knn(bank, queries, labels, torch.tensor([0, 1]), 1) == 1
    assert swav.knn(bank, queries, labels, torch.tensor([1, 1]), 1) == 0.5
    assert swav.knn(bank, queries, labels, torch.tensor([0, 1]), 50) == 1, "more neighbours than examples are all of them"


def test_kmeans_finds_the_centres_of_clear_groups():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [10, 0], [0, 10]], dtype=np.float32)
    points = (centres[np.arange(300) % 3] + rng.normal(0, 0.1, (300, 2))).astype(np.float32)
    found = cluster.kmeans(points, 3, seed=0, threads=1)
    assert sorted(map(tuple, found.centroids.round())) == sorted(map(tuple, centres))
    assert found.distance == pytest.approx(np.linalg.norm(points - found.centroids[found.assignment], axis=1), abs=1e-3)
    assert found.inertia == pytest.approx((found.distance.astype(float) ** 2).sum(), rel=1e-4)


def test_kmeans_is_determined_by_its_seed():
    points = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
    first, again = (cluster.kmeans(points, 20, seed=3, threads=1) for _ in range(2))
    assert np.array_equal(first.centroids, again.centroids)


def test_kmeans_is_no_worse_than_scikit_learns():
    from sklearn.cluster import KMeans

    points = np.random.default_rng(0).normal(size=(800, 8)).astype(np.float32)
    reference = KMeans(12, n_init=3, random_state=0).fit(points)
    assert cluster.kmeans(points, 12, seed=0, threads=1).inertia < 1.05 * reference.inertia_


def test_more_clusters_than_examples_are_refused():
    with pytest.raises(PipelineError, match="5 clusters asked for, but there are only 4 examples"):
        cluster.kmeans(np.zeros((4, 2), dtype=np.float32), 5, seed=0, threads=1)


def test_the_bend_of_a_hand_drawn_curve():
    assert cluster.bend(np.array([1, 2, 3, 4, 5]), np.array([100.0, 40.0, 20.0, 10.0, 0.0])) == 1
    assert cluster.bend(np.array([2, 4, 6, 8]), np.array([90.0, 80.0, 5.0, 0.0])) == 2


def test_the_elbow_of_clear_groups_is_their_number():
    rng = np.random.default_rng(0)
    centres = 10 * np.eye(6)  # equally far from one another: inertia falls in a straight line down to k = 6
    points = (centres[np.arange(600) % 6] + rng.normal(0, 0.1, (600, 6))).astype(np.float32)
    found, tried, inertia = cluster.elbow(points, 2, 20, seed=0, threads=1)
    assert len(found.centroids) == 6
    assert len(tried) == len(inertia) == 19


def test_an_elbow_over_too_small_a_range_is_refused():
    with pytest.raises(PipelineError, match="at least 3 numbers of clusters"):
        cluster.elbow(np.zeros((50, 2), dtype=np.float32), 2, 3, seed=0, threads=1)
