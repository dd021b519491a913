"""What the report says of single classes."""

import pandas as pd

from pipeline_lib.report import behind
from pipeline_lib.report.words import Caption


def tested(table: pd.DataFrame) -> str:
    """Say how many trainings and images stand behind the shares, from `runs` and `images`."""
    whole = table[table["test_set"] == "all"]["images"].max()
    drawn = table[table["test_set"] == "drawn"]["images"]
    images = f"{whole:,} test images" + (f", {drawn.max():,} of them in the imbalanced test set" if len(drawn) else "")
    return f"{images}. {behind.trainings(table)}"


def pruned(table: pd.DataFrame) -> str:
    """Say how many trainings stand behind a point, and how quotas are compared with none."""
    return behind.trainings(table) + " What quotas add is paired: trainings of the same seed start from the same weights."


CAPTIONS = {
    "confusion": Caption(
        "balance",
        "Which classes are confused",
        "What networks trained on all data take the test images for. Accuracy is the share of all test images that are predicted "
        "right, balanced accuracy the mean over the classes, so that every class counts the same. Where a data set was made "
        "unequal on purpose, a second, imbalanced test set is drawn from the test images, as unequal as the training examples: on "
        "it a network that neglects small classes looks better than it is.",
        "Rows: the true class; columns: the predicted one; blue: right, orange: wrong, darker: more often (the orange grows with "
        "the square root, so that rare confusions are seen). Beside each row: how much of the class is predicted right.",
        tested,
    ),
    "pruning_imbalanced": Caption(
        "balance",
        "What pruning leaves of small classes",
        "A metric that finds the examples of a small class hard keeps them when the easiest are left out, and starves the large "
        "classes instead; one that finds them easy starves the small ones. Class quotas apply the rule inside every class, so that "
        "all lose the same share.",
        "Top left: the share kept of each class, without quotas, beside a random choice. Bottom left: that of the smallest class "
        "against the share left out. Middle and right: balanced accuracy, and accuracy of the smallest class, without quotas "
        "(top), and what quotas add to it in percentage points (bottom; above 0: quotas help). Dashed: random; dotted: all data.",
        pruned,
    ),
}
