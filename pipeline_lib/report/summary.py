"""What to read first: the study in a handful of sentences, each made from a table and left out where there is none."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from pipeline_lib.analyse import area
from pipeline_lib.analyse.ranking import AND_RULE, cautions
from pipeline_lib.analyse.sweeps import REPEATED, UNSCORED
from pipeline_lib.report.build import Points

ALMOST = 0.01  # of accuracy, one point: what the thesis calls "almost" without loss

Tables = dict[str, pd.DataFrame]


def points(tables: Tables, wrong: np.ndarray | None) -> Points:
    """Say what was found.

    Args:
        tables: name -> table, of figures and others alike.
        wrong: (N,) bool, labels known to be wrong, or None where none are known.
    """
    said = [(subject, sentence(tables)) for subject, sentence in SENTENCES if sentence(tables)]
    if "ranking" in tables:
        said.insert(min(2, len(said)), ("Labels to look at", mislabelled(tables["ranking"], wrong)))
    return Points(said)


def best_window(tables: Tables) -> str | None:
    """Say which window of the order of difficulty trained best, and how it compares with a random one."""
    if "sliding_window" not in tables:
        return None
    table = tables["sliding_window"]
    windows = table[~table["metric"].isin(UNSCORED)]
    best = windows.loc[windows["accuracy_mean"].idxmax()]
    text = (
        f"The best {_percent(best['kept_share'], 0)} of the data are those from {_percent(best['point'], 0)} on in the order of "
        f"difficulty by {best['metric']}{_variant(best)}: {_accuracy(best)} test accuracy, {_trainings(best['runs'])}."
    )
    if pd.notna(best["gain_mean"]):
        text += f" That is {_gain(best)} a random choice of as many examples"
        text += ": no difference is shown." if best["gain_low"] <= 0 <= best["gain_high"] else "."
    full = table[table["metric"] == "full"]
    if len(full):
        text += f" All data reach {_accuracy(full.iloc[0])}."
    if len(windows) > 1:
        text += f" It is the best of {len(windows)} windows, and the best of many looks better than it is."
    return text


def areas(tables: Tables) -> str | None:
    """Say which metrics are better than random when the easiest examples are left out."""
    return area.sentence(tables["area"]) if "area" in tables else None


def repeated_random(tables: Tables) -> str | None:
    """Say what another random subset in every epoch reaches, beside one that stays and the best that metrics choose."""
    if "prune_easiest" not in tables:
        return None
    easiest, *others = (tables[name] for name in ("prune_easiest", "prune_hardest", "prune_stratified") if name in tables)
    plain = [table[~table["balanced"] & (table["budget"] == "epochs") & table["point"].notna()] for table in (easiest, *others)]
    repeated = plain[0][plain[0]["metric"] == REPEATED].set_index("point").sort_index()
    chosen = pd.concat(plain)
    best = chosen[~chosen["metric"].isin(UNSCORED)].groupby("point")["accuracy_mean"].max().reindex(repeated.index)
    if repeated.empty or best.isna().all():
        return None
    least, most = repeated["gain_mean"].min(), repeated["gain_mean"].max()
    sure, beaten = (repeated["gain_low"] > 0).sum(), (best > repeated["accuracy_mean"]).sum()
    shares = f"{len(repeated)} shares left out, from {_percent(repeated.index[0], 0)} to {_percent(repeated.index[-1], 0)}"
    return (
        f"Another random subset in every epoch (RS2) costs no scoring and as many steps. At the {shares}, it is between "
        f"{100 * least:+.1f} and {100 * most:+.1f} percentage points from a random subset that stays, surely above it at "
        f"{sure or 'none'} (95% intervals, paired by seed). The best choice by any metric, made knowing the results, has the "
        f"higher mean at {beaten or 'none'} of them."
    )


def mislabelled(ranking: pd.DataFrame, wrong: np.ndarray | None) -> str:
    """Say how many labels are doubted, by which rule, and how right that is where it can be known.

    Args:
        ranking: `index`, `label`, `belief`, `likely_mislabelled` and `rule` of all N examples.
        wrong: (N,) bool, labels known to be wrong, or None.
    """
    flag = ranking["likely_mislabelled"].to_numpy(dtype=bool)
    text = f"{flag.sum():,} of {len(flag):,} training examples ({_percent(flag.mean(), 1)}) are likely mislabelled"
    text += f": {ranking.loc[flag, 'rule'].iloc[0].split(AND_RULE)[0]}." if flag.any() else "."
    below = ranking["below_threshold"].to_numpy(dtype=bool) if "below_threshold" in ranking else None
    if below is not None:
        both = (flag & below).sum()
        text += (
            f" {below.sum():,} lie below the cut-off that was learned from threshold examples, {both:,} of these are among both."
        )
    if wrong is not None:
        known = wrong[ranking["index"].to_numpy()]
        text += f" {wrong.sum():,} labels are known to be wrong; {(flag & known).sum():,} of them are among the doubted"
        text += f", {(below & known).sum():,} below the cut-off." if below is not None else "."
    return " ".join([text, "All doubts, the clearest first, are in suspicious.csv.", *(f"{each}." for each in cautions(ranking))])


def break_even(tables: Tables) -> str | None:
    """Say when pruning pays: the choice that pays first of those that lose almost nothing.

    Almost nothing: the interval of the difference to all data, paired by seed, ends at most `ALMOST` below 0. Where there is none
    (single trainings, or equal ones), the difference itself.
    """
    if "cost" not in tables:
        return None
    table = tables["cost"]
    pruned = table[~table["metric"].isin(UNSCORED)]
    single = pruned["over_full_low"].isna().all()
    least = pruned["over_full_mean"] if single else pruned["over_full_low"]  # without an interval nothing is sure
    fine = least >= -ALMOST
    surely, rule = ("", "single trainings, so without intervals") if single else ("surely ", "by the 95% interval, paired by seed")
    loses = f"{surely}{'lose' if fine.sum() > 1 else 'loses'} less than a point ({rule})"
    lossless = f"{fine.sum() or 'None'} of {len(pruned)} choices {loses}"
    paying = pruned[fine & np.isfinite(pruned["trainings_to_break_even"])]
    if paying.empty:
        return f"{lossless}{', and none of these saves anything' if fine.any() else ''}."
    best = paying.loc[paying["trainings_to_break_even"].idxmin()]
    trainings = math.ceil(best["trainings_to_break_even"])
    saves = f"as soon as {trainings:,} trainings share its scoring" if trainings > 1 else "from the first training on"
    choice = f"leaving out {_percent(best['point'], 0)} by {best['metric']}{_variant(best)}"
    text = (
        f"{lossless}. The first of them to pay is {choice}: it saves {saves}. One training, scoring included, takes "
        f"{best['relative_cost']:.2g} times the arithmetic of one on all data."
    )
    return text if len(paying) == 1 else f"{text} It is the first of {len(paying)}, and the best of many looks better than it is."


def verdicts(tables: Tables) -> str | None:
    """Say how the thesis's claims fared."""
    if "claims" not in tables:
        return None
    counts = tables["claims"]["verdict"].value_counts(sort=False)
    order = [verdict for verdict in ("supported", "contradicted", "undecided", "not tested") if verdict in counts]
    return f"Of {counts.sum()} claims: {', '.join(f'{counts[verdict]} {verdict}' for verdict in order)}."


SENTENCES: list[tuple[str, Callable[[Tables], str | None]]] = [
    ("The best window", best_window),
    ("Leaving out the easiest", areas),
    ("Random instead", repeated_random),
    ("When pruning pays", break_even),
    ("The thesis's claims", verdicts),
]


def _percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f}%"


def _accuracy(row: pd.Series) -> str:
    """An accuracy with its interval, where there is one."""
    mean = _percent(row["accuracy_mean"], 1)
    if pd.isna(row["accuracy_low"]):
        return mean
    return f"{mean} (95% interval {100 * row['accuracy_low']:.1f} to {100 * row['accuracy_high']:.1f})"


def _gain(row: pd.Series) -> str:
    """A paired difference to random in words, with its interval."""
    gain, low, high = (100 * row[f"gain_{part}"] for part in ("mean", "low", "high"))
    text = f"{abs(gain):.1f} percentage points {'above' if gain >= 0 else 'below'}"
    return f"{text} (without an interval)" if math.isnan(low) else f"{text} ({low:+.1f} to {high:+.1f}, paired by seed)"


def _trainings(runs: float) -> str:
    return "a single training" if runs == 1 else f"the mean of {int(runs)} trainings"


def _variant(row: pd.Series) -> str:
    """What sets the row apart from the plain rule: over all classes, equal epochs."""
    words = [word for word, said in (("inside every class", row["balanced"]), ("equal steps", row["budget"] == "steps")) if said]
    return f" ({', '.join(words)})" if words else ""
