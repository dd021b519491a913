"""What stands behind a point of a figure, and what its bars mean: one sentence, made from the figure's table."""

import pandas as pd


def trainings(table: pd.DataFrame) -> str:
    """Say how many trainings stand behind a point and what the bars are, from the column `runs`."""
    counts = table["runs"].dropna() if "runs" in table else pd.Series(dtype=float)
    if counts.empty:
        return "The table does not say how many trainings stand behind a point."
    low, high = int(counts.min()), int(counts.max())
    if high == 1:
        return "Every point is a single training, so there are no intervals."
    number = f"{low}" if low == high else f"{low} to {high}"
    single = " A point of a single training has no bar." if low == 1 else ""
    return (
        f"Every point is the mean of {number} trainings with different seeds; bars are two-sided 95% intervals of the mean "
        "(Student's t over the seeds; none where all agree to the image). They tell how far other trainings would be off, not "
        f"other test images or another ensemble.{single}"
    )


def areas(table: pd.DataFrame) -> str:
    """Say the same for areas, whose differences are paired."""
    return trainings(table) + " Differences to random are paired: trainings of the same seed start from the same weights."


def halves(table: pd.DataFrame) -> str:
    """Say how the ensemble was halved, from `seeds` and `splits`."""
    rows = table.dropna(subset=["half_mean"])
    if rows.empty:
        return "The ensemble has too few seeds to be halved."
    seeds, splits = int(rows["seeds"].max()), int(rows["splits"].max())
    return f"An ensemble of {seeds} seeds, halved in {splits} ways; bars hold the middle 95% of the splits."


def detections(table: pd.DataFrame) -> str:
    """Say what the bootstrap went over."""
    return (
        f"{len(table)} metrics, one ensemble; bars are 95% bootstrap intervals over the examples, not over trainings: wrong and "
        "right labels are drawn apart, so that every resample has as many wrong ones. Ties count as if they were ordered at random."
    )


def scored(table: pd.DataFrame) -> str:
    """Say how many examples a histogram holds, from `metric` and `count`."""
    return f"Each panel holds {table.groupby('metric')['count'].sum().max():,} training examples."


def points(table: pd.DataFrame) -> str:
    """Say how many examples are drawn, one row each."""
    return f"{len(table):,} training examples, one point each."


def correlated(table: pd.DataFrame) -> str:
    """Say what a correlation was computed over, one row per metric."""
    return (
        f"{len(table)} metrics, all training examples, one ensemble, whose luck the metrics share: between two ensembles they "
        "agree less. How far another ensemble would change the scores is what their reliability tells."
    )


def tried(table: pd.DataFrame) -> str:
    """Say how many numbers of clusters were tried, from `k` and `chosen`."""
    chosen = table.loc[table["chosen"].astype(bool), "k"]
    choice = f"; {int(chosen.iloc[0])} is the number chosen" if len(chosen) else ""
    return f"{len(table)} numbers of clusters were tried, one k-means each{choice}."


def pictures(table: pd.DataFrame) -> str:
    """Say how many images are shown: per `group`, or of how many examples."""
    if "group" not in table:
        return f"{table['index'].nunique()} training images, {len(table)} pictures."
    counts = table.groupby("group", sort=False).size()
    return "; ".join(f"{group}: {count}" for group, count in counts.items()) + "."


def one_training(table: pd.DataFrame) -> str:
    """Say how many examples a training with threshold examples was recorded of, from `part` and `count`."""
    counts = table.dropna(subset=["part"]).groupby("part", sort=False)["count"].sum()
    return "One of the trainings: " + "; ".join(f"{part}: {int(count):,}" for part, count in counts.items()) + "."


def flagged(table: pd.DataFrame) -> str:
    """Say what the bootstrap went over."""
    return (
        f"{table['dataset'].nunique()} data sets, one set of trainings each; bars are 95% bootstrap intervals over the examples, "
        "not over trainings: wrong and right labels are drawn apart."
    )


def suspicious(table: pd.DataFrame, images: str = "training examples") -> str:
    """Say how many labels are doubted, one row each."""
    flagged = table["likely_mislabelled"].sum()
    return f"Another class leads in {len(table):,} {images}, far enough to call {flagged:,} of them likely mislabelled."


def suspicious_test(table: pd.DataFrame) -> str:
    """Say the same of the test images."""
    return suspicious(table, "test images")
