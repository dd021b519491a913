"""The words of the report on what hard examples do to the landscape of the loss."""

import pandas as pd

from pipeline_lib.report import behind
from pipeline_lib.report.words import Caption


def pairs(table: pd.DataFrame) -> str:
    """Say how many pairs of networks stand behind a point, from `runs`."""
    runs = int(table["runs"].min())
    if runs == 1:
        return "Every point is a single pair of networks, so there are no intervals."
    return (
        f"Every point is the mean over {runs} pairs of networks, each from a common training of its own; bars and bands are "
        "two-sided 95% intervals of the mean (Student's t over the pairs)."
    )


CAPTIONS = {
    "connectivity": Caption(
        "diet",
        "When is it settled where a training ends?",
        "A network is trained up to some epoch; from there two copies go on, each with the examples in an order of its own. Then "
        "one walks along the straight line from the weights of one to those of the other. If the loss rises on the way, there "
        "is a barrier, and the two have ended in different basins; if not, it was settled when they branched where they would "
        "end. The barrier is computed on the easiest training examples, on those in the middle and on the hardest. Along the "
        "line the statistics of batch normalisation are computed anew.",
        "Above: the epoch of branching; up: how far the highest point of the line lies above the chord between the two "
        "networks' own values, for the loss and for the share of wrong predictions. Below: how far the loss "
        "along the line lies above the chord, for the first epoch and for the last one at which a group still has a barrier.",
        pairs,
    ),
    "kernel_velocity": Caption(
        "diet",
        "Which examples does a network still learn features from?",
        "How a training step on one example moves the outputs for another is told by the tangent kernel: the products of the "
        "gradients of their outputs. While the kernel stays, training only fits the features that are there; while it turns, "
        "the features change. Its velocity is 1 minus the cosine between the kernel before and after an epoch, computed for "
        "groups of neighbours in the order of difficulty.",
        "Across: the middle of a group in the order of difficulty; up: velocity, 0 (the kernel stays) to 1 (nothing is left of "
        "it), logarithmic, and at the right divided by the mean of all groups in the same training. One line per epoch.",
        behind.trainings,
    ),
}
