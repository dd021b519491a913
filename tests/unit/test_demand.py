"""What jobs ask a cluster for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib import demand
from pipeline_lib.config import Cluster, parse_study, plain
from pipeline_lib.data.shape import image_shape
from pipeline_lib.demand import Demand, Size
from tests.unit.studies import STUDY, changed, complaints

CIFAR = Size(50_000, 10, (3, 32, 32))
RESNET = {"model": "resnet18_cifar", "batch": 512, "epochs": 30}


def cluster(**changes):
    return Cluster(**{"shortest_minutes": 1, "time_margin": 1, "base_memory": 1, **changes})


def test_every_attempt_asks_for_more():
    asked = Demand(1000, 600, cluster(growth=2))
    assert [asked.memory(attempt) for attempt in (1, 2, 3)] == [1000, 2000, 4000]
    assert [asked.minutes(attempt) for attempt in (1, 2, 3)] == [10, 20, 40]


def test_margin_shortest_and_longest():
    assert Demand(1, 600, cluster(time_margin=3)).minutes(1) == 30
    assert [Demand(1, 6, cluster(shortest_minutes=7)).minutes(attempt) for attempt in (1, 2)] == [7, 14]
    assert Demand(1, 600, cluster(longest_minutes=15)).minutes(2) == 15, "a partition refuses what is beyond its limit"


@pytest.mark.parametrize(
    ("experiment", "metric", "settings", "expected"),
    [
        ("sliding_window", "el2n", {"size": 0.4, "starts": [0, 0.6]}, 2 * 0.4),
        ("sliding_window", "random", {"size": 0.4}, 0.4),
        ("sliding_window", "repeated_random", {"size": 0.4}, 0.4),
        ("prune_easiest", "el2n", {"shares": [0.1, 0.9]}, 0.9 + 0.1),
        ("prune_easiest", "repeated_random", {"shares": [0.1, 0.9], "budget": ["epochs", "steps"]}, 0.9 + 0.1),
        ("prune_hardest", "random", {"shares": [0.1, 0.9]}, 0.9 + 0.1),
        ("prune_fixed", "el2n", {"share": 0.25}, 0.75),
        ("score_epoch", "el2n_at_0", {"shares": [0.25, 0.5]}, 0.75 + 0.5),
        ("seeds", "el2n_of_1", {"share": 0.25}, 0.75),
        ("transfer", "el2n_from_other", {"share": 0.25}, 0.75),
        ("curriculum", "el2n", {"begin": 0.5, "budget": ["steps"]}, 2),
        ("curriculum", "random", {"begin": 0.5, "budget": ["steps"]}, 1),
    ],
)
def test_a_sweep_sees_what_it_keeps_in_every_epoch_of_every_training(experiment, metric, settings, expected):
    defaults = {"seeds": 3, "balanced": [False], "budget": ["epochs"]}
    assert demand.passes(experiment, metric, defaults | settings, epochs=10) == pytest.approx(10 * 3 * expected)


def test_steps_as_on_all_data_cost_as_much_as_all_data():
    settings = {"seeds": 1, "balanced": [False, True], "budget": ["epochs", "steps"], "shares": [0.9]}
    assert demand.passes("prune_easiest", "el2n", settings, epochs=10) == pytest.approx(10 * 2 * (0.1 + 1))


def test_all_data_are_trained_on_once_per_seed():
    assert demand.passes("sliding_window", "full", {"seeds": 3}, epochs=10) == 30


def test_recipes_that_are_tried_take_the_time_of_all_and_the_memory_of_the_largest():
    settings, recipes = {"seeds": 2, "validation": 0.2}, [RESNET | change for change in ({"epochs": 10}, {"batch": 2048})]
    both = demand.varying(cluster(), CIFAR, recipes, "cpu", settings)
    each = [demand.varying(cluster(), CIFAR, [recipe], "cpu", settings) for recipe in recipes]
    assert both.seconds == pytest.approx(sum(one.seconds for one in each))
    assert both.megabytes == each[1].megabytes > each[0].megabytes
    assert each[1].seconds == demand.training(cluster(), CIFAR, recipes[1], "cpu", epochs=2 * 30).seconds


def test_attacks_cost_their_trainings_and_a_pass_for_every_step_and_prediction():
    settings = {"seeds": 3, "balanced": [False], "budget": ["epochs"], "shares": [0.5, 0.7]}
    attacks = {"fgsm": ({"steps": 1, "restarts": 1}, [0, 0.1]), "pgd": ({"steps": 10, "restarts": 2}, [0, 0.1, 0.2])}
    rates = {"gpu": {"resnet18_cifar": 5000}}
    asked = demand.attacking(cluster(images_per_second=rates), CIFAR, RESNET, "gpu", "el2n", settings, attacks)
    passes = 30 * 3 * (0.5 + 0.3) + 3 * 2 * (2 * 2 + 21 * 3)
    assert asked.seconds == pytest.approx(passes * 50_000 / 5000 + 50_000 / demand.LIGHT_EXAMPLES)
    full = demand.attacking(cluster(images_per_second=rates), CIFAR, RESNET, "gpu", "full", {"seeds": 3}, attacks)
    assert full.seconds == pytest.approx((30 * 3 + 3 * (2 * 2 + 21 * 3)) * 50_000 / 5000 + 50_000 / demand.LIGHT_EXAMPLES)


def test_the_time_of_a_training_is_its_images_over_the_rate():
    rates = {"gpu": {"resnet18_cifar": 5000}}
    asked = demand.training(cluster(images_per_second=rates), CIFAR, RESNET, "gpu", epochs=30)
    assert asked.seconds == pytest.approx(30 * 50_000 / 5000 + 50_000 / demand.LIGHT_EXAMPLES)


def test_an_image_twice_as_wide_and_high_takes_four_times_as_long():
    large = Size(50_000, 10, (3, 64, 64))
    small, times = (demand.training(cluster(), size, RESNET, "gpu", epochs=1000).seconds for size in (CIFAR, large))
    assert times == pytest.approx(4 * small, rel=0.1)


@pytest.mark.parametrize("changes", [{"examples": 60_000}, {"classes": 100}, {"shape": (3, 64, 64)}])
def test_a_larger_data_set_needs_more_memory(changes):
    larger = Size(**{"examples": 50_000, "classes": 10, "shape": (3, 32, 32), **changes})
    before, after = (demand.recording(cluster(), size, RESNET, "cpu").memory(1) for size in (CIFAR, larger))
    assert after > before


def test_a_batch_is_in_the_memory_of_the_host_only_if_the_host_computes():
    asked = {device: demand.recording(cluster(), CIFAR, RESNET, device).memory(1) for device in ("cpu", "gpu")}
    assert asked["cpu"] > 2 * asked["gpu"]


def test_parting_networks_cost_two_trainings_from_every_epoch_on_and_their_common_one():
    settings = {"epochs": [0, 20], "points": 11}
    asked = demand.connecting(cluster(), CIFAR, RESNET, "gpu", settings)
    epochs = 30 + 2 * 30 + 2 * 10 + 2 * 11 * demand.LOOK
    assert asked.seconds == pytest.approx(demand.training(cluster(), CIFAR, RESNET, "gpu", epochs).seconds)


def test_kernels_cost_a_pass_per_row_and_hold_their_matrices():
    settings = {"epochs": [0, 9], "groups": [0, 1], "examples": 100}
    asked = demand.turning(cluster(), CIFAR, RESNET, "gpu", settings)
    kernels, rows = 2 * 2 * 2, 100 * 10
    plain_training = demand.training(cluster(), CIFAR, RESNET, "gpu", 30 + kernels * rows * demand.KERNEL_PASSES / 50_000)
    assert asked.seconds == pytest.approx(plain_training.seconds)
    matrices = demand.KERNEL_COPIES * 2 * rows**2 * 4 / 1e6
    assert asked.megabytes == pytest.approx(plain_training.megabytes + demand.GRADIENT_MEGABYTES + matrices)


def test_whole_gradients_count_as_epochs():
    plain, twice = (demand.recording(cluster(), CIFAR, RESNET | {"epochs": 6}, "cpu", times).seconds for times in (0, 2))
    images = 50_000 / demand.LIGHT_EXAMPLES
    assert (twice - images) / (plain - images) == pytest.approx((8 + 2) / 8)


def test_the_elbow_takes_longer_than_one_clustering():
    elbow, one = (demand.clustering(cluster(), CIFAR, k, tried).seconds for k, tried in (("elbow", (2, 300)), ("classes", None)))
    assert elbow > 5 * one


def test_a_data_set_that_nobody_has_seen_is_taken_for_a_usual_one():
    assert Size.of(None, None) == Size(50_000, 100, (3, 32, 32))
    assert Size.of([3, 4], (1, 8, 8)) == Size(7, 2, (1, 8, 8))


def test_shapes_are_known_without_reading_an_image(tmp_path):
    np.savez(tmp_path / "grey.npz", train_images=np.zeros((2, 12, 10), np.uint8), train_labels=[0, 1])
    np.savez_compressed(tmp_path / "colour.npz", train_images=np.zeros((2, 12, 10, 3), np.uint8))
    assert image_shape("npz", {"npz": tmp_path / "grey.npz"}) == (1, 12, 10)
    assert image_shape("npz", {"npz": tmp_path / "colour.npz"}) == (3, 12, 10)
    assert image_shape("npz", {"npz": tmp_path / "none.npz"}) is None
    assert image_shape("imagefolder", {"size": 64}) == (3, 64, 64)
    assert image_shape("digits", {}) == (1, 8, 8)
    assert image_shape("cifar", {}) == (3, 32, 32)
    assert image_shape("derived", {}, (3, 64, 64)) == (3, 64, 64)
    assert image_shape("derived", {}) is None


def test_a_study_needs_no_cluster_section():
    assert plain(parse_study(STUDY).cluster) == plain(Cluster())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("growth", 0.5, "cluster.growth: should be at least 1, not 0.5"),
        ("base_memory", 0, "cluster.base_memory: should be at least 1, not 0"),
        ("images_per_second", {"gpu": {"resnet18": 0}}, "cluster.images_per_second.gpu.resnet18: should be greater than 0, not 0"),
    ],
)
def test_what_is_out_of_range_is_refused(key, value, message):
    assert complaints(changed("cluster", {key: value})) == [message]


def test_an_unknown_model_is_refused():
    [line] = complaints(changed("cluster", {"images_per_second": {"cpu": {"resnet50": 10}}}))
    assert line.startswith("cluster.images_per_second.cpu: unknown key 'resnet50'; accepted: small_cnn, resnet18_cifar")


def test_nothing_heavy_is_imported():
    """Each job on a cluster reads the Snakefile, and so this module, twice."""
    command = "import sys, pipeline_lib.demand; print(*{'torch', 'h5py', 'sklearn'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("device", "offered", "places"),
    [
        ("cpu", {}, 8),
        ("cpu", {"gpu": 1, "_cores": 8, "_nodes": None}, 8),
        ("cpu", {"mem_mb": 8000}, 0),
        ("gpu", {"gpu": 1}, 1),
        ("gpu", {"gpu": 5}, 5),
        ("gpu", {"gpu": 20}, 8),
        ("gpu", {}, 0),
        ("gpu", {"gpu": 5, "mem": "8GB"}, 0),
    ],
)
def test_helpers_and_jobs_have_the_cores_and_on_a_gpu_the_places_that_its_owner_offers(device, offered, places):
    assert demand.places(device, 8, offered, threads=1) == places
    assert demand.places(device, 8, offered, threads=2) == 0
