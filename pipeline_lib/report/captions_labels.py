"""The words of the report on labels that are probably wrong."""

from pipeline_lib.report import behind
from pipeline_lib.report.words import Caption, Heading

CAPTIONS = {
    "threshold_margins": Caption(
        "noise",
        "The learned cut-off for wrong labels",
        "A few training examples are given a class of their own that nothing in their images supports. How a network treats them "
        "is how it treats a wrong label: it learns them late, by heart. The area under the margin (AUM) is the mean over the "
        "epochs of how far the label leads in the logits. Labels whose AUM is no higher than nearly all of theirs are doubted. "
        "Every training has other threshold examples, and more than half of those that judge a label must doubt it.",
        "Above: the logit of the label's class and the best other one, mean over a group, against the epoch; the shaded area is "
        "the margin. Below: histogram of the AUM of all examples, with the cut-off.",
        behind.one_training,
    ),
    "noise_cutoff": Caption(
        "noise",
        "What the flags are worth",
        "The same images with wrong labels of several kinds: moved to any other class, or each class to the next (pair flips), "
        "in growing shares. Precision is the share of the flagged labels that are wrong, recall the share of the wrong labels "
        "that are flagged, F1 their harmonic mean. The learned cut-off needs no number to be chosen; the fixed rule flags where "
        "another class is several times as probable. The AUROC of the scores needs no cut-off. Of every ensemble as many members "
        "count as the smallest has.",
        "Across: data sets. Up: precision, recall, F1, AUROC.",
        behind.flagged,
    ),
    "relabel": Caption(
        "noise",
        "Training without the doubted labels",
        "Networks are trained on all data, without the labels that a rule doubts, and without as many examples chosen at random; "
        "where it is known which labels are wrong, also without exactly these. The test labels are as given.",
        "Rows: who doubts. Across: test accuracy after the last epoch.",
        behind.trainings,
    ),
}
TABLES = {
    "threshold": Heading(
        "noise",
        "Cut-offs",
        "One row per training and kind of margin (training: augmented images, as they are trained on; clean: a pass after each "
        "epoch), and one for all trainings' votes; `decides` says which makes the flags. Precision, recall and F1 where it is "
        "known which labels are wrong, with 95% bootstrap intervals over the examples.",
    ),
}
