"""The figure of how early in a training the scores can be told."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import diet, style


def draw(table: pd.DataFrame, dataset: str, splits: int) -> Figure:
    """Draw accuracy after pruning against the epoch of the score, a panel per share, and the agreement with others' final score.

    Args:
        table: as made by `pipeline_lib.analyse.diet.against_epoch`.
        dataset: its name, for the title.
        splits: of the seeds into halves, at most.
    """
    panels = diet.variants(table)
    epochs = sorted(int(epoch) for epoch in table["epoch"].dropna().unique())
    labels = [{0: "0\nuntrained", epochs[-1]: f"{epochs[-1]}\nlast"}.get(epoch, str(epoch)) for epoch in epochs]
    figure, axes = diet.grid(len(panels) + 1)
    for panel, (title, rows) in zip(axes, panels, strict=False):
        diet.accuracy(panel, rows, "epoch", diet.places(panel, epochs, labels))
        panel.set_title(title, loc="left")
        panel.sharey(axes[0])
    _agreement(axes[-1], table, epochs, labels)
    for panel in axes:
        panel.set_xlabel("epoch of the ensemble after which the examples were scored")
    diet.legend(figure, axes)
    diet.words(
        figure,
        f"{dataset}: how early in the training is it known which examples are easy?",
        [diet.runs(table), *_notes(table, splits)],
    )
    return figure


def _agreement(axes, table: pd.DataFrame, epochs: list[int], labels: list[str]) -> None:
    at = diet.places(axes, epochs, labels)
    scored = table[table["epoch"].notna()].drop_duplicates(["metric", "epoch"])
    metrics = list(dict.fromkeys(scored["metric"]))
    for position, metric in enumerate(metrics):
        rows = scored[scored["metric"] == metric].sort_values("epoch")
        x, look = [at[epoch] for epoch in rows["epoch"]], {**style.look(metric), "label": f"by {metric}"}
        diet.line(axes, x, diet.aside(position, len(metrics)), rows, "agreement", look)
    axes.axhline(0, color=diet.GREY, linewidth=0.8)
    diet.agreement_axis(axes, scored["agreement_low"], "agreement with others' final score")


def _notes(table: pd.DataFrame, splits: int) -> list[str]:
    """Say what the other bars are, what the untrained networks' scores are worth, and what was left out."""
    halves = (
        "agreement: of the score by half of the seeds with the final score by the other half, mean over up to "
        f"{splits} splits, bars: the middle 95% of them"
    )
    notes = [halves if table["agreement"].notna().any() else "agreement: the ensemble has too few seeds for two halves"]
    untrained = table[table["epoch"] == 0].drop_duplicates("metric").dropna(subset=["with_input_norm"])
    if len(untrained):
        found = ", ".join(f"{row['metric']} {row['with_input_norm']:.2f}" for row in untrained.to_dict("records"))
        notes.append(
            "epoch 0: untrained networks know nothing; their scores must beat the norm of the image, with which their rank "
            f"correlation is: {found}"
        )
    left_out = table[table["note"] != ""]
    if len(left_out):
        points = ", ".join(f"{row['metric']} at {row['epoch']:g}".removesuffix(" at nan") for row in left_out.to_dict("records"))
        notes.append(f"left out, as every example had the same score: {points}")
    return notes
