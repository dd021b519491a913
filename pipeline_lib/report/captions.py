"""The words of the report: for every figure and table a title, what was done, what is on the axes, and what stands behind a point.

Written for a reader who never saw the code. The order of `SECTIONS` and, inside a section, of `CAPTIONS` is the order of the page.
"""

from pipeline_lib.errors import PipelineError, one_of
from pipeline_lib.report import (
    behind,
    captions_balance,
    captions_diet,
    captions_labels,
    captions_landscape,
    captions_robustness,
    captions_variants,
)
from pipeline_lib.report.words import Caption, Heading

# section -> heading, first paragraph
SECTIONS = {
    "data": ("Data set", "What the study was given: images, labels, and what was changed on purpose."),
    "metrics": (
        "Metrics",
        "A metric gives every training example one number, its score. All scores are oriented alike: higher means harder. But not "
        "every metric means the same by hard. Variability, dyn_unc and student_teacher are high for what is learned late or stays "
        "ambiguous, and low for what is never learned (wrong labels, often), so they may order the examples opposite to the "
        "others. Entropy, std and flip do not look at the label: they cannot tell what is always wrong from what is always right.",
    ),
    "examples": (
        "Examples",
        "The images themselves, as each metric orders them. Above an image stand the given label and the score, and what the "
        "networks of the ensemble believe.",
    ),
    "experiments": (
        "Experiments",
        "In every experiment networks are trained from scratch on a chosen part of the training data and tested on the same "
        "untouched test set. The baselines are a random choice of as many examples and all data; where the question is which part "
        "to keep, also as many examples drawn at random anew in every epoch (RS2, `repeated_random` in the tables).",
    ),
    "noise": ("Label noise", "What wrong labels do to the experiments, and how well the metrics find them."),
    "diet": (
        "When difficulty shows, and why it matters",
        "How early in a training, and from how many trainings, the scores can be told; and what hard examples do to the "
        "landscape of the loss.",
    ),
    "balance": ("Unequal classes", "What unequal classes do to trainings and to pruning, and what helps against it."),
    "robustness": ("Robustness", "Robustness to adversarial attacks of networks that were trained on less."),
    "cost": ("Cost", "What scoring and training take, and when pruning saves anything."),
    "claims": ("Claims", "The conclusions of the thesis that this pipeline follows, judged by what was computed here."),
    "ranking": ("Ranking", "Every training example with its scores and ranks: what to look at first in one's own data."),
    "more": ("Further tables", "Tables of the study without a figure of their own."),
}


BASELINES_DRAWN = "Dashed: random; solid grey, where it is drawn: another random subset in every epoch (RS2); dotted: all data."
SHARE_AXES = f"Across: the share of the training data left out; up: test accuracy after the last epoch. {BASELINES_DRAWN}"
PAIRED = "All metrics share the seeds, so that equal seeds start from equal weights."

CAPTIONS = {
    "augmentations": Caption(
        "data",
        "Augmentation",
        "In training, every image is changed at random each time it is shown, as the recipe says (crop, flip, rotation). "
        "Here are originals and what the network may see in their place. Test images, and images that are scored, are "
        "never changed.",
        "Columns: training images of different classes. Rows: the original, then one random draw each.",
        behind.pictures,
    ),
    "tsne": Caption(
        "data",
        "The images in feature space",
        "SwAV learned features from the images alone, without a label. t-SNE lays a sample of training examples out in the "
        "plane so that neighbours stay neighbours. Groups of one colour are classes that the features tell apart; the "
        "size of a group and the distance between far groups mean nothing.",
        "Both axes: t-SNE coordinates, without a unit. Colour: the given label.",
        behind.points,
    ),
    "reliability": Caption(
        "metrics",
        "How reproducible is a score?",
        "The seeds of the ensemble are split at random into two halves; each half scores all examples, and the two scores "
        "are correlated. From that, the Spearman-Brown formula foretells the correlation between two whole ensembles; of counts "
        "and spreads over seeds (std, pred_sum, forget, ...) it expects too much, by up to .07 on digits. Where it is low, the "
        "order of the examples is luck.",
        "Rows: metrics. Across: Spearman correlation, 1 is the same order. Filled: two halves; open: whole ensembles (estimate).",
        behind.halves,
    ),
    "correlation_spearman": Caption(
        "metrics",
        "Do the metrics agree? Ranks",
        "The ranks that two metrics give to the training examples are correlated. As all scores are oriented alike, "
        "agreement is positive. Only the order counts here, not the distances between scores.",
        "Rows and columns: metrics, alike ones side by side. Cells: Spearman correlation, from -1 (opposite order) over 0 to "
        "1 (same order).",
        behind.correlated,
    ),
    "correlation_pearson": Caption(
        "metrics",
        "Do the metrics agree? Values",
        "The scores themselves are correlated, as the thesis did. As all scores are oriented alike, agreement is positive. "
        "A few extreme scores can move this number; the ranks above are robust against them.",
        "Rows and columns: metrics, alike ones side by side. Cells: Pearson correlation, from -1 over 0 to 1.",
        behind.correlated,
    ),
    "distributions": Caption(
        "metrics",
        "How are the scores distributed?",
        "One histogram per metric over all training examples. A bar that towers over the others is a block of ties: examples "
        "that the metric cannot tell apart. Where such a block is cut, the choice inside it is drawn at random.",
        "Across: the score in the metric's own unit, easy to the left and hard to the right; up: number of training examples.",
        behind.scored,
    ),
    "data_map": Caption(
        "metrics",
        "Data map",
        "For every example, the probability that the networks give to its label is followed through the epochs (Dataset "
        "Cartography). Its mean is the confidence, its spread the variability. Examples at the top left are easy to learn, at "
        "the bottom left hard to learn (among them wrong labels), and at the right ambiguous. The paper's trainings are longer "
        "than it takes to learn most examples: in a short one, where confidence grows with variability, what lies at the right "
        "was learned late rather than never settled. Each name stands beside the 1% of the examples that lie outermost; the right "
        "is not called ambiguous where its examples lie beside those of another name.",
        "Across: variability; up: confidence, 0 to 1. Colour: the share of epochs and seeds that predict the label. At the edges: "
        "how many examples lie where.",
        behind.points,
    ),
    "suspicious": Caption(
        "examples",
        "Labels to look at first",
        "The training images whose label is not what the ensemble takes them for, on average over its seeds and epochs, the "
        "clearest first. The order says where to look; how far down labels are wrong depends on how well the networks know the "
        "classes: of hesitant ones many doubts are of right labels, and what a long training has learned by heart is no longer "
        "doubted.",
        "Row by row; above an image the end of its file's name, the label as given, the class that leads, and how many times "
        "as probable as the label it is. Orange: likely mislabelled; blue: another class is believed, less clearly.",
        behind.suspicious,
    ),
    "suspicious_test": Caption(
        "examples",
        "Test labels to look at first",
        "The same of the test images. No network has seen their labels, so none is learned by heart: a wrong one stands out more "
        "than in training, and so does a right one of an unusual image. Wrong test labels distort every accuracy of this report.",
        "As above.",
        behind.suspicious_test,
    ),
    "elbow": Caption(
        "metrics",
        "How many clusters?",
        "The metric km is the distance to the nearest k-means centre in SwAV's features and needs a number of centres. The "
        "clustering ran for a range of numbers; the bend of the curve, after which one centre more gains little, is taken.",
        "Across: the number of clusters; up: inertia, the sum of squared distances to the nearest centre.",
        behind.tried,
    ),
    "sliding_window": Caption(
        "experiments",
        "Sliding window",
        "Every metric orders the training examples from the easiest to the hardest. A window of fixed size slides along this "
        "order, and networks are trained on the window alone. Windows on the left hold only easy examples, windows on "
        f"the right only hard ones. {PAIRED}",
        f"Across: where the window begins in the order of difficulty; up: test accuracy after the last epoch. {BASELINES_DRAWN}",
        behind.trainings,
    ),
    "prune_easiest": Caption(
        "experiments",
        "Leaving out the easiest",
        "A growing share of the easiest examples is left out, and networks are trained on the rest. A metric is of use "
        f"where its line lies above a random choice of as many examples. {PAIRED}",
        SHARE_AXES,
        behind.trainings,
    ),
    "area": Caption(
        "experiments",
        "Area under the curves of leaving out the easiest",
        "One number per metric for the experiment above: the mean accuracy over the shares from 10% to 70% (composite "
        "Simpson rule), divided by the accuracy of all data at the same seed. An area of 1 means that nothing was lost.",
        "Rows: metrics, and random drawn anew. Across: relative area, and its difference to random.",
        behind.areas,
    ),
    "prune_hardest": Caption(
        "experiments",
        "Leaving out the hardest",
        "A growing share of the hardest examples is left out, beside the same with the easiest. Among the hardest are both the "
        f"most informative examples and the wrong labels; which of them weighs more is seen here. {PAIRED}",
        SHARE_AXES + " One panel per end.",
        behind.trainings,
    ),
    "prune_fixed": Caption(
        "experiments",
        "One share left out, epoch by epoch",
        "A fixed share of the easiest examples is left out, and the test accuracy is followed through the training. The "
        "figure shows whether a difference at the end is stable or a matter of the epoch at which one stops.",
        "Across: epoch; up: test accuracy; light bands: 95% intervals. The last panel holds the accuracies after the last epoch. "
        f"{BASELINES_DRAWN}",
        behind.trainings,
    ),
    "prune_stratified": Caption(
        "experiments",
        "Stratified selection",
        "Coverage-centric selection (CCS): the hardest are left out (cutoff) as likely noise, the others evenly: what is kept is "
        "spread over strata of the score, so that easy, middling and hard examples all stay in. It was made for large shares left "
        f"out, where keeping only the hardest fails. {PAIRED}",
        SHARE_AXES,
        behind.trainings,
    ),
    "clusters": Caption(
        "experiments",
        "How much does the number of clusters matter?",
        "The metric km was computed with several numbers of clusters (also with as many as there are classes, and with the "
        "number from the elbow). Each time the easiest examples were left out and networks trained on the rest.",
        SHARE_AXES,
        behind.trainings,
    ),
    "curriculum": Caption(
        "experiments",
        "Curriculum",
        "Nothing is left out for good: training begins with the easiest or with the hardest examples, and the others are added "
        "bit by bit until all are in. Every training takes as many optimiser steps as one on all data, with which it "
        "is compared.",
        "Across: epoch; up: test accuracy; one panel per direction; light bands: 95% intervals; vertical line: all data are "
        f"in. The last panel holds the accuracies after the last epoch. {BASELINES_DRAWN}",
        behind.trainings,
    ),
    "label_noise": Caption(
        "noise",
        "The sliding window with wrong labels",
        "The sliding window once more on the same images, after a seeded share of the training labels was moved to another "
        "class; scores and trainings both see the wrong labels. The test labels are right. If a metric ranks wrong labels as "
        "hard, its last windows suffer most.",
        "Across: where the window begins in the order of difficulty; up: test accuracy. One panel for the labels as they are, one "
        f"with wrong labels among them. {BASELINES_DRAWN}",
        behind.trainings,
    ),
    "noise_detection": Caption(
        "noise",
        "How well do the metrics find wrong labels?",
        "It is known which labels are wrong, so the scores can be tested as detectors: does a wrong label score higher than a "
        "right one? AUROC is the chance that it does (0.5 is guessing); average precision is the share of wrong labels "
        "among the hardest, averaged over all wrong labels; precision at 1, 5 and 10% is that share among the hardest 1, 5 "
        "and 10%; missed is the share of wrong labels that are not among as many of the hardest examples as there are wrong "
        "labels. In the table, behind_best is how far the AUROC lies below the largest, measured on the same resamples.",
        "Rows: metrics. One panel per measure; dashed: guessing.",
        behind.detections,
    ),
    "cost": Caption(
        "cost",
        "Accuracy against the whole cost",
        "A score is not free: the ensemble, or SwAV and k-means, must be trained first. The cost of a pruned training is set "
        "here together with that of its scores, once in full and once shared by many trainings on the same subset.",
        "Across: floating-point operations in multiples of one training on all data (logarithmic); up: test accuracy. Points "
        "along a line: shares pruned. Left of the line at 1, pruning saves.",
        behind.trainings,
    ),
}

TABLES = {
    "speed": Heading(
        "cost",
        "How fast the trainings were",
        "Images trained on, repetitions counted, per second of making batches and taking steps. TFLOP/s: what is counted of "
        "convolutions and matrix products over the same time; share_of_peak: of the matrix product that each job measured "
        "beside its training on the same device (small networks are far below it: there the time goes into calls, not "
        "arithmetic). Data to files: shares of the whole time. A training that several experiments share is counted for the "
        "first of them; networks that branch (connectivity) from where they do; attacks on networks are no training.",
    ),
    "claims": Heading(
        "claims",
        "Verdicts",
        "A difference above 0 speaks for the claim. Supported: its whole 95% interval does (or lies beyond the limit that is "
        "named). Contradicted: the whole interval speaks against it. Undecided: neither. Not tested: this study lacks what the "
        "claim is about.",
    ),
    "ranking": Heading("ranking", "Training examples", ""),  # shown as two tables with words of their own
}

# what only some data sets ask for
PARTS = (captions_labels, captions_diet, captions_landscape, captions_balance, captions_variants, captions_robustness)
for part in PARTS:
    CAPTIONS |= part.CAPTIONS
    TABLES |= getattr(part, "TABLES", {})


def caption(name: str) -> Caption:
    """Return the words of a figure.

    Args:
        name: as under results/{dataset}/, without suffix; `examples/{metric}` for any metric.

    Raises:
        PipelineError: there are none for this name.
    """
    if name.startswith("examples/"):
        metric = name.removeprefix("examples/")
        return Caption(
            "examples",
            f"By {metric}",
            f"Training images that {metric} finds easiest and hardest, and those whose label is likely wrong, the hardest first. "
            "The belief is the class with the largest mean probability over the networks; orange where the label "
            "is likely wrong, blue where the belief differs from it less clearly.",
            "Three groups of images; the score grows with difficulty.",
            behind.pictures,
        )
    if name not in CAPTIONS:
        raise PipelineError(
            f"pipeline_lib/report/captions.py has no words for the figure {name}; it has them for "
            f"{one_of(CAPTIONS)} and examples/(metric)"
        )
    return CAPTIONS[name]


def heading(name: str) -> Heading:
    """Return the words of a table without a figure; a name not known here keeps its name as the title."""
    return TABLES.get(name, Heading("more", name.replace("_", " "), ""))
