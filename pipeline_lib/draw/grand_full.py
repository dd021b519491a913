"""The figure of whether the whole gradient tells more than its cheap stand-ins."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline_lib.draw import diet, style

CALLED = {
    "el2n": "el2n (error vector)",
    "grand": "grand (gradient of the last layer, closed form)",
    "input_norm": "input_norm (norm of the image)",
}


def draw(table: pd.DataFrame, dataset: str, layers: list[str] | str, examples: int) -> Figure:
    """Draw the rank correlation of the whole gradient's norm with cheaper scores of the same epoch.

    Args:
        table: as made by `pipeline_lib.analyse.diet.gradients`.
        dataset: its name.
        layers: whose gradients are in the norm, as configured.
        examples: size of the training set.
    """
    figure, [axes] = diet.grid(1)
    epochs = sorted(int(epoch) for epoch in table["epoch"].unique())
    at = diet.places(axes, epochs, ["0\nuntrained" if epoch == 0 else str(epoch) for epoch in epochs])
    metrics = list(dict.fromkeys(table["metric"]))
    for position, metric in enumerate(metrics):
        rows = table[table["metric"] == metric].sort_values("epoch")
        x, look = [at[epoch] for epoch in rows["epoch"]], {**style.look(metric), "label": CALLED[metric]}
        diet.line(axes, x, diet.aside(position, len(metrics)), rows, "agreement", look)
    axes.axhline(0, color=diet.GREY, linewidth=0.8)
    diet.agreement_axis(axes, table["agreement_low"], "")
    axes.set_xlabel("epoch of the ensemble")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="norm of the whole gradient against")
    inside = "of all layers" if layers == "all" else f"of the layers {', '.join(layers)}"
    notes = [f"gradients {inside}, mean over seeds, {examples:,} training examples; bars: 95% bootstrap interval over the examples"]
    diet.words(figure, f"{dataset}: does the norm of the whole gradient rank the examples in another way?", notes)
    figure.set_size_inches(10, 5)
    return figure
