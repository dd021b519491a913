"""The words of the figures about scores from less: earlier epochs, fewer seeds, other networks, whole gradients."""

import pandas as pd

from pipeline_lib.report import behind
from pipeline_lib.report.words import Caption


def agreed_by_splits(table: pd.DataFrame) -> str:
    """Say what the bars of the accuracies are, and those of the agreement."""
    return f"Accuracies: {behind.trainings(table)} Bars of the agreement hold the middle 95% of the splits of the seeds."


def agreed_by_seeds(table: pd.DataFrame) -> str:
    """Say what the bars of the accuracies are, and those of the agreement."""
    return f"Accuracies: {behind.trainings(table)} Bars of the agreement hold the middle 95% of the subsets of seeds."


def correlated(table: pd.DataFrame) -> str:
    """Say what the correlations were computed over, from `epoch`."""
    return (
        f"One ensemble, recorded after {table['epoch'].nunique()} different numbers of epochs; bars are 95% bootstrap intervals "
        "over the examples, not over trainings."
    )


CAPTIONS = {
    "score_epoch": Caption(
        "diet",
        "How early is difficulty known?",
        "The ensemble was recorded after every epoch, so every score can be computed as if the training had ended earlier. By each "
        "such score the easiest examples are left out, and networks are trained on the rest as usual. An epoch is early enough "
        "where its point is as high as that of the last. At epoch 0 the networks are untrained: a score of theirs is worth nothing "
        "unless it beats the plain norm of the image, which knows neither network nor label. The last panel compares early scores "
        "with the final scores of other trainings: with those of its own, of which it is a part, an early score must agree.",
        "Across: the epoch of the ensemble after which the examples were scored; up: test accuracy, one panel per share left out; "
        "in the last panel the rank correlation of the score by half of the seeds with the final score by the other half, which at "
        "the last epoch is what two halves agree to. Dashed: random; dotted: all data; dash-dotted: "
        "the easiest left out by the norm of the image.",
        agreed_by_splits,
    ),
    "seeds": Caption(
        "diet",
        "How many trainings does a score need?",
        "Scores are averaged over the seeds of the ensemble, and every seed costs a training. Here the examples are scored by "
        "fewer. The first panel compares such a score with that of the seeds that were left out, which share nothing with it but "
        "the recipe: the honest number, though the fewer seeds are left out, the more does their own noise count. The second "
        "compares it with the whole ensemble, of which it is a part, so that it must come near 1. The last panel trains without "
        "the easiest. Each training uses another group of seeds while there are such, so that the interval contains the choice "
        "of the seeds: wholly for small groups, in part for groups that overlap, not at all for the whole ensemble.",
        "Across: the number of seeds averaged; up: rank correlation, and test accuracy after training without the easiest. Dashed: "
        "random; dotted: all data.",
        agreed_by_seeds,
    ),
    "transfer": Caption(
        "diet",
        "Does the score of another network serve?",
        "The same images were scored by ensembles of different architectures or recipes. If their scores agree, a cheap network "
        "can choose the data of an expensive one. The networks that are trained and tested are always the same; only the scores by "
        "which the easiest examples are left out come from different ensembles. These share neither initial weights nor the order "
        "of the examples.",
        "Matrices: rank correlation of the scores of two ensembles. Last panel: across the ensemble that scored, up the test "
        "accuracy. Dashed: random; dotted: all data.",
        behind.trainings,
    ),
    "grand_full": Caption(
        "diet",
        "The whole gradient and its stand-ins",
        "GraNd was defined as the norm of an example's gradient in all weights, which costs a pass backwards for every example. "
        "The gradient of the last layer alone and the length of the error vector (EL2N) cost nothing beside the prediction. Where "
        "their rank correlation with the whole gradient is near 1, the whole gradient adds nothing. At epoch 0 the networks are "
        "untrained.",
        "Across: the epoch of the ensemble; up: rank correlation of the norm of the whole gradient with the cheaper scores.",
        correlated,
    ),
}
