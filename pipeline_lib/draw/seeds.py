"""The figure of how many trainings a score needs."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import diet, style


def draw(table: pd.DataFrame, dataset: str) -> Figure:
    """Draw the agreement of scores by some seeds with those by the others and by all, and accuracy after pruning by them.

    Args:
        table: as made by `pipeline_lib.analyse.diet.against_seeds`.
        dataset: its name, for the title.
    """
    panels = diet.variants(table)
    numbers = sorted(int(number) for number in table["number"].dropna().unique())
    labels = [f"{number}\nall" if number == numbers[-1] else str(number) for number in numbers]
    figure, axes = diet.grid(len(panels) + 2)
    scored = table[table["number"].notna()].drop_duplicates(["metric", "number"])
    metrics = list(dict.fromkeys(scored["metric"]))
    sides = (("rest", "agreement with the seeds left out"), ("whole", "agreement with all seeds, these among them"))
    for panel, (side, title) in zip(axes, sides, strict=False):
        at = diet.places(panel, numbers, labels)
        for position, metric in enumerate(metrics):
            rows = scored[scored["metric"] == metric].sort_values("number")
            x, look = [at[number] for number in rows["number"]], {**style.look(metric), "label": f"by {metric}"}
            diet.line(panel, x, diet.aside(position, len(metrics)), rows, side, look)
        diet.agreement_axis(panel, scored[[f"{each}_low" for each, _ in sides]].min(axis=1), title)
    for panel, (title, rows) in zip(axes[2:], panels, strict=True):
        diet.accuracy(panel, rows, "number", diet.places(panel, numbers, labels))
        panel.set_title(title, loc="left")
        panel.sharey(axes[2])
    for panel in axes:
        panel.set_xlabel("seeds whose scores are averaged")
    diet.legend(figure, axes)
    subsets = int(scored["subsets"].max())
    notes = [
        f"agreement: mean over up to {subsets} subsets of the seeds, bars: the middle 95% of them; the more seeds are averaged, "
        "the fewer are left to compare with",
        f"{diet.runs(table)}; each scored by other seeds as far as there are",
    ]
    diet.words(figure, f"{dataset}: how many trainings does a score need?", notes)
    return figure
