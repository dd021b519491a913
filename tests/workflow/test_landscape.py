"""What is planned for parting networks and tangent kernels, and what reruns them."""

import pytest

pytestmark = pytest.mark.long

CONNECTIVITY, VELOCITY = "results/digits/connectivity.png", "results/digits/kernel_velocity.png"
SECTIONS = {
    "connectivity": {"epochs": [0, 1], "pairs": 2, "points": 3, "examples": 50},
    "kernel_velocity": {"epochs": [0, 1], "seeds": 2, "examples": 5, "groups": [0, 1]},
}
TRAININGS = {"train_connectivity 0", "train_connectivity 1", "train_kernels 0", "train_kernels 1"}
FIGURES = {"draw_connectivity", "draw_kernel_velocity"}


def switch_on(project, **changes):
    """Switch both on, with single keys changed: switch_on(project, connectivity={"pairs": 3})."""
    sections = {name: section | changes.get(name, {}) for name, section in SECTIONS.items()}
    project.configure(**{f"experiments.{name}": section for name, section in sections.items()})


def refused(project, target):
    done = project.snakemake("-n", target)
    assert done.returncode != 0
    return done.stdout


def test_they_are_off_in_a_study_that_does_not_name_them(project):
    for target, section in ((CONNECTIVITY, "connectivity"), (VELOCITY, "kernel_velocity")):
        assert f"datasets.digits.experiments has no section {section}" in refused(project, target)


def test_every_pair_and_every_seed_is_a_job(project):
    switch_on(project)
    assert project.plan(CONNECTIVITY, VELOCITY) == TRAININGS | FIGURES
    planned = project.snakemake("-n", "results/digits/report.html").stdout
    assert "Draw the connectivity of digits" in planned
    assert "Draw the kernel_velocity of digits" in planned


def test_groups_that_do_not_fit_are_refused_before_anything_trains(project):
    switch_on(project, connectivity={"examples": 480}, kernel_velocity={"examples": 1500})
    words = "datasets.digits.experiments.{}.examples: should be at most {} for the {} training examples, not {}"
    assert words.format("connectivity", 479, 1438, 480) in refused(project, CONNECTIVITY)
    assert words.format("kernel_velocity", 1438, 1438, 1500) in refused(project, VELOCITY)


def test_only_what_is_new_is_trained(copy):
    switch_on(copy)
    copy.make(CONNECTIVITY, VELOCITY)
    assert copy.plan(CONNECTIVITY, VELOCITY) == set()
    switch_on(copy, connectivity={"pairs": 3}, kernel_velocity={"seeds": 3})
    assert copy.plan(CONNECTIVITY, VELOCITY) == FIGURES | {"train_connectivity 2", "train_kernels 2"}
    switch_on(copy, kernel_velocity={"groups": [0.5]})
    assert copy.plan(CONNECTIVITY, VELOCITY) == {"train_kernels 0", "train_kernels 1", "draw_kernel_velocity"}
    switch_on(copy)
    copy.edit("pipeline_lib/learn/kernel.py", ".sum() / 2)", ".sum() * 0.5)")
    assert copy.plan(CONNECTIVITY, VELOCITY) == {"train_kernels 0", "train_kernels 1", "draw_kernel_velocity"}
