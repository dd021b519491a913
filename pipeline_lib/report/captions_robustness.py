"""The words of the report on robustness."""

import pandas as pd

from pipeline_lib.report.words import Caption


def _networks(table: pd.DataFrame) -> str:
    """Say how many networks stand behind a point, what the bars are, and what keeping the networks took."""
    low, high = int(table["runs"].min()), int(table["runs"].max())
    number = f"{low}" if low == high else f"{low} to {high}"
    one_each = table.drop_duplicates(["metric", "balanced", "budget", "point"])
    kept, size = int(one_each["runs"].sum()), (one_each["runs"] * one_each["model_bytes"]).sum() / 1e6
    bars = "bars are two-sided 95% intervals of the mean (Student's t over the seeds)" if high > 1 else "there are no intervals"
    networks = f"{number} network{'s' * (high > 1)} of different seeds"
    return (
        f"Every point is the mean of {networks}, each attacked on the whole test set by its own gradients; {bars}. For this, "
        f"{kept} networks of {size:.3g} MB in all are kept in the run store."
    )


def _shown(table: pd.DataFrame) -> str:
    """Say how many images are shown and how many of them fool the network."""
    attacks = table[table["row"] > 0]
    wrong = (attacks["prediction"].astype(str) != attacks["label"].astype(str)).groupby(attacks["attack"], sort=False)
    fooled = "; ".join(f"{name} fools the network with {int(part.sum())} of them" for name, part in wrong)
    return f"{table['index'].nunique()} test images of different classes, drawn at random, one network: {fooled}."


CAPTIONS = {
    "robustness": Caption(
        "robustness",
        "Accuracy under attack",
        "The networks of the experiment on leaving out the easiest were tested once more, on test images that were changed a "
        "little so that the network errs. An attack knows the network: it moves all pixels along the gradient of the loss. FGSM "
        "takes one step, PGD several from a random start and back within the bound after each; both stay between black and white. "
        "The same bound fools one network and not another, and a network that is better without attack (left end) need "
        "not be better under it. In the table, lost is what an attack takes from the accuracy, and over_random and over_full are "
        "differences to the random subset of the same size and to all data under the same attack, paired by seed.",
        "Across: the bound on the change; up: test accuracy, and below it the difference to all data. One column of panels per "
        "attack, two rows per share left out. Dashed: random; dotted: all data.",
        _networks,
    ),
    "attacked": Caption(
        "robustness",
        "What an attack changes",
        "Test images as they are, after each attack at the largest bound, and the change alone, enlarged. The network was "
        "trained on all data.",
        "Columns: test images of different classes. Rows: the original, then for every attack its image and change (grey: none).",
        _shown,
    ),
}
