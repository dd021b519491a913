"""The learned cut-off for wrong labels: AUM of threshold examples, and the votes of several trainings.

In every run some examples have a class of their own that nothing supports (`pipeline_lib.data.threshold`). Their AUM (the mean
over the epochs of how far the label leads in the logits; high = easy, as in the paper) is what a wrong label has. An example
of any other class whose AUM is no higher than a high percentile of theirs gets a vote against its label. A run does not judge
its own threshold examples; other runs, with others, do. A label is doubted if more than half of its judges vote against it:
with two runs both must; a threshold example of one run is judged by the other alone.

Source: Pleiss et al. 2020, "Identifying Mislabeled Data using the Area Under the Margin Ranking". There the first of two runs
judges all but its own threshold examples, and the second only those; letting all runs vote was measured to be more precise
(docs/results.md).
"""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib import dynamics, storage
from pipeline_lib.analyse.statistics import bootstrap_interval
from pipeline_lib.dynamics import Dynamics
from pipeline_lib.errors import PipelineError
from pipeline_lib.metrics import aum, aum_training
from pipeline_lib.rng import generator

REBUILD = "train_threshold"
FITTED = "fitted_labels"  # array of the file: the labels that were trained on
METRICS = {"training": aum_training, "clean": aum}
DOUBTED = "below_threshold"
VOTES = ("index", DOUBTED, "votes", "judges", "aum_training", "aum_clean")
QUALITY = ("precision", "recall", "f1")
CUT_OFFS = (
    *("run", "margins", "decides", "percentile", "cut_off", "threshold_examples", "judged", "doubted"),
    *(f"{measure}{end}" for measure in QUALITY for end in ("", "_low", "_high")),
)
ALL_RUNS = "all"
RESAMPLES = 500
SMALL = 0.5  # share of the threshold examples below which a class is too small to be judged by them (chosen)


@dataclass(frozen=True)
class Run:
    """One training with threshold examples.

    Attributes:
        members: (N,) bool, the threshold examples.
        aum: "training" or "clean" -> (N,) area under the margin, high = easy; of the members in the class of their own.
    """

    members: np.ndarray
    aum: dict[str, np.ndarray]

    @classmethod
    def of(cls, recorded: Dynamics, members: np.ndarray) -> "Run":
        """Compute both AUMs of the recorded training (one seed, labels as they were trained on)."""
        return cls(members, {margins: -metric.score(recorded) for margins, metric in METRICS.items()})  # scores: high = hard

    def cut_off(self, margins: str, percentile: float) -> float:
        """Return the percentile of the members' AUM."""
        return float(np.percentile(self.aum[margins][self.members], percentile))

    def doubted(self, margins: str, percentile: float) -> np.ndarray:
        """Return (N,) bool, no higher than the cut-off; never of its own members."""
        return ~self.members & (self.aum[margins] <= self.cut_off(margins, percentile))


def small_classes(labels: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the classes with less than half as many examples as the class of the threshold examples.

    A network expects fewer of them than of threshold examples, so that their right labels look no better supported.

    Args:
        labels: (N,) of the data set.
        members: (N,) bool, the threshold examples of a run.
    """
    counts = np.bincount(labels)
    return np.flatnonzero(counts < SMALL * members.sum())


def open_run(stack: ExitStack, path: str | Path, labels: np.ndarray, dataset: str) -> tuple[Dynamics, np.ndarray]:
    """Open a recorded training with threshold examples.

    Args:
        stack: closes the file.
        path: results/{dataset}/threshold/run{run}.h5
        labels: (N,) of the data set.
        dataset: its fingerprint.

    Returns:
        The dynamics, their labels as they were trained on; and (N,) bool, the threshold examples.

    Raises:
        PipelineError: the file is damaged, was made for another data set, or has no threshold examples of these labels.
    """
    with storage.open_h5(path, REBUILD, (FITTED,)) as file:
        fitted = file[FITTED][:]
    members = fitted > labels.max() if fitted.shape == labels.shape else np.zeros(0, bool)
    if not members.any() or (fitted != labels)[~members].any():
        raise storage.refuse(path, "was trained on other labels than the data set has", REBUILD)
    return dynamics.open_source(stack, [path], {}, fitted, dataset), members


def votes(runs: Sequence[Run], margins: str, percentile: float) -> pd.DataFrame:
    """Let every run judge the labels of all examples but its own threshold examples.

    Args:
        runs: at least two; the threshold examples of the first ones, as many as there are classes and one, have nothing in common.
        margins: "training" or "clean", whose AUM decides.
        percentile: of the threshold examples' AUM, above 0 and up to 100.

    Returns:
        One row per example with `VOTES`: `below_threshold` (more than half of the judges against), `votes` (share of them, 0..1),
        `judges`, and both AUMs, mean over the judging runs (high = easy).

    Raises:
        PipelineError: an example is a threshold example of every run.
    """
    judging = np.stack([~run.members for run in runs])
    judges = judging.sum(axis=0)
    if (judges == 0).any():
        raise PipelineError(
            f"threshold examples: {(judges == 0).sum()} examples are so in all of {len(runs)} runs, so nothing judges their label. "
            "Ask for another number of runs (`threshold.runs`)"
        )
    against = np.stack([run.doubted(margins, percentile) for run in runs]).sum(axis=0) / judges
    means = [(np.stack([run.aum[name] for run in runs]) * judging).sum(axis=0) / judges for name in METRICS]
    columns = (np.arange(len(judges)), against > 0.5, against, judges, *means)
    return pd.DataFrame(dict(zip(VOTES, columns, strict=True)))


def cut_offs(runs: Sequence[Run], decides: str, percentile: float, wrong: np.ndarray | None, study_seed: int) -> pd.DataFrame:
    """Say where every run cuts, and how right that is where it can be known.

    Args:
        runs: as in `votes`.
        decides: "training" or "clean", whose AUM the flags are made of.
        percentile: above 0 and up to 100.
        wrong: (N,) bool, labels known to be wrong, or None.
        study_seed: what the bootstrap's resamples derive from.

    Returns:
        One row per run and kind of AUM, and one for all runs' votes by each kind, with `CUT_OFFS`: `decides` says which kind the
        flags are made of; precision, recall and F1 of the doubted among the judged (0..1) with 95% bootstrap intervals over the
        examples, in which wrong and right labels are drawn apart; NaN where nothing is known.
    """
    rows = []
    for margins in METRICS:
        chosen = {"margins": margins, "decides": margins == decides, "percentile": percentile}
        for number, run in enumerate(runs):
            flag, judged = run.doubted(margins, percentile), ~run.members
            counts = {"threshold_examples": int(run.members.sum()), "judged": int(judged.sum()), "doubted": int(flag.sum())}
            known = None if wrong is None else wrong[judged]
            quality = found(flag[judged], known, study_seed)
            rows.append({"run": number, **chosen, "cut_off": run.cut_off(margins, percentile), **counts, **quality})
        flag = votes(runs, margins, percentile)[DOUBTED].to_numpy()
        members = int(np.any([run.members for run in runs], axis=0).sum())
        counts = {"threshold_examples": members, "judged": len(flag), "doubted": int(flag.sum())}
        rows.append({"run": ALL_RUNS, **chosen, "cut_off": np.nan, **counts, **found(flag, wrong, study_seed)})
    return pd.DataFrame(rows, columns=CUT_OFFS)


def found(flag: np.ndarray, wrong: np.ndarray | None, study_seed: int) -> dict[str, float]:
    """Return how well flags find wrong labels: the `QUALITY` measures with 95% bootstrap intervals over the examples.

    Args:
        flag: (N,) bool, label doubted.
        wrong: (N,) bool, label known to be wrong; None: everything is NaN.
        study_seed: what the resamples derive from.

    Returns:
        Measure, measure_low, measure_high -> share (0..1). Precision is NaN where nothing is flagged, recall where nothing is
        wrong.
    """
    names = [f"{measure}{end}" for measure in QUALITY for end in ("", "_low", "_high")]
    if wrong is None:
        return dict.fromkeys(names, np.nan)

    def measure(draws: np.ndarray) -> np.ndarray:
        hits, flagged, all_wrong = (float((draws * part).sum()) for part in (flag & wrong, flag, wrong))
        with np.errstate(invalid="ignore"):
            return np.divide([hits, hits, 2 * hits], [flagged, all_wrong, flagged + all_wrong])

    values = measure(np.ones(len(flag)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing flagged in any resample: no precision, and no interval of it
        low, high = bootstrap_interval(measure, wrong, RESAMPLES, generator(study_seed, "bootstrap", "cut-off"))
    return dict(zip(names, np.stack([values, low, high], axis=1).ravel().tolist(), strict=True))


def read_votes(path: str | Path, examples: int) -> pd.DataFrame:
    """Read what `votes` made.

    Args:
        path: results/{dataset}/threshold_votes.csv
        examples: N.

    Raises:
        PipelineError: the file is missing, damaged, or about other examples.
    """
    table = storage.read_csv(path, VOTES, "judge_threshold")
    if len(table) != examples:
        raise storage.refuse(path, f"has {len(table)} rows for {examples} examples", "judge_threshold")
    return table
