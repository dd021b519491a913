"""The words for experiments that change the recipe instead of the subset."""

from pipeline_lib.report import behind
from pipeline_lib.report.words import Caption, Heading

CAPTIONS = {
    "imbalance": Caption(
        "balance",
        "What helps against unequal classes?",
        "Networks are trained on all data, with each way of making up for unequal classes in turn: no correction; weights of the "
        "loss that give every class the same say; a sampler that shows every class equally often; logit adjustment, which asks "
        "more of a class the rarer it is. What a small class gains, a large one often loses: look at the mean of the classes and "
        "at each of them. Ways share the seeds, so that equal seeds start from equal weights.",
        "Rows: the share of all test images that is right, the mean of the classes' accuracies, and every class with its number of "
        "training examples. Across: test accuracy at the left, its difference to no correction at the right.",
        behind.trainings,
    ),
    "sweep": Caption(
        "balance",
        "Which values suit the recipe?",
        "One key of the training recipe at a time takes several values, the others stay. A share of every class of the training "
        "set is held out, anew for every seed, and networks are trained on the rest. A value is chosen by the held-out examples, "
        "by the mean of the classes' accuracies, which forgets no small class. The test set is not used to choose. The "
        "chosen value is the best of several, so that its held-out accuracy looks better than it is. Trainings that diverge are "
        "counted and left out.",
        "Rows: keys. Left: accuracy against the value, equally spaced. Middle: test accuracy of each class, where there are ten or "
        "fewer. Right: loss after every epoch (logarithmic), dashed on the examples trained on, as the recipe weights them, and "
        "solid on the held-out ones, without weights.",
        behind.trainings,
    ),
}

TABLES = {
    "sweep_losses": Heading(
        "balance",
        "Losses after every epoch, by recipe value",
        "Cross-entropy on the examples trained on (augmented, and as the recipe weights them) and on the held-out ones (neither), "
        "with 95% t-intervals over the seeds.",
    ),
}
