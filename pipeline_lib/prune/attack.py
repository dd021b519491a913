"""Attack the networks of planned trainings; these come from the run store, or are trained if it does not have them."""

import logging
import time
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from pipeline_lib.config import Attack
from pipeline_lib.learn.attack import attacked
from pipeline_lib.learn.device import wait
from pipeline_lib.learn.train import predict
from pipeline_lib.prune.plan import Planned
from pipeline_lib.prune.sweep import Trainer

log = logging.getLogger("pipeline")


def attack(
    trainer: Trainer,
    planned: Iterable[Planned],
    attacks: Mapping[str, tuple[Attack, list[float]]],
    study_seed: int,
    title: str,
) -> pd.DataFrame:
    """Measure the test accuracy of planned trainings under attack.

    Args:
        trainer: trains or looks up, on the recipe.
        planned: whose networks are attacked.
        attacks: name -> settings, and the bounds to try (pixels of 0..1; 0 is the accuracy without attack).
        study_seed: what random starts derive from; networks of equal seeds meet equal starts.
        title: of the progress bar.

    Returns:
        One row per training, attack and bound: point, balanced, budget, seed, kept, attack, epsilon, accuracy (share),
        seconds (of the attack), run, model_bytes (of the kept network).
    """
    rows = []
    for plan in tqdm(list(planned), desc=title, unit="network", disable=None):
        run, model = trainer.model(plan)
        images, labels, recipe = trainer.data.test, trainer.data.test_labels, trainer.recipe
        for name, (settings, epsilons) in attacks.items():
            for epsilon in epsilons:
                begin = time.perf_counter()
                if epsilon:
                    batches = attacked(model, images, labels, recipe, settings, epsilon, (study_seed, "attack", name, plan.seed))
                    logits = torch.cat([logits for _, logits in batches])
                else:
                    logits = predict(model, images, recipe)
                accuracy = (logits.argmax(dim=1) == labels).double().mean()
                wait(images.device)
                rows.append(
                    {"point": plan.point, "balanced": plan.balanced, "budget": plan.budget, "seed": plan.seed}
                    | {"kept": run["kept"], "attack": name, "epsilon": epsilon, "accuracy": accuracy.item()}
                    | {"seconds": time.perf_counter() - begin, "run": run["identity"], "model_bytes": run["model_bytes"]}
                )
    table = pd.DataFrame(rows)
    sizes = table.drop_duplicates("run")["model_bytes"]
    log.info("%d networks of %.3g MB in all are kept in the run store", len(sizes), sizes.sum() / 1e6)
    return table


def show(
    trainer: Trainer,
    planned: Planned,
    attacks: Mapping[str, tuple[Attack, float]],
    index: np.ndarray,
    study_seed: int,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Attack a few test images and tell what the network of a training sees in them.

    Args:
        trainer: trains or looks up, on the recipe.
        planned: whose network is attacked.
        attacks: name -> (settings, bound).
        index: (B,) positions in the test set.
        study_seed: what random starts derive from.

    Returns:
        (1 + attacks, B, C, H, W) float32 pixels of 0..1, the originals first, and one row per picture in the same order:
        `row` (0 for the originals), `column`, `attack` ("none" for the originals), `epsilon`, `index`, `label` and `prediction`
        (classes), `probability` (of the prediction), `label_probability`, `largest_change` (of a pixel) and `change_length`
        (Euclidean, of all pixels).
    """
    _, model = trainer.model(planned)
    images, labels, recipe = trainer.data.test, trainer.data.test_labels, trainer.recipe
    chosen = torch.from_numpy(index).to(images.device)
    pictures, logits = [images.pixels(chosen)], [predict(model, images, recipe, chosen)]
    for name, (settings, epsilon) in attacks.items():
        batches = attacked(model, images, labels, recipe, settings, epsilon, (study_seed, "shown", name), chosen)
        changed, predicted = zip(*batches, strict=True)
        pictures.append(torch.cat(changed))
        logits.append(torch.cat(predicted))
    rows = []
    bounds = [("none", 0.0), *((name, epsilon) for name, (_, epsilon) in attacks.items())]
    for row, ((name, epsilon), picture, outputs) in enumerate(zip(bounds, pictures, logits, strict=True)):
        probability, change = outputs.double().softmax(dim=1), (picture - pictures[0]).flatten(1)
        columns = {
            "row": row,
            "column": np.arange(len(index)),
            "attack": name,
            "epsilon": epsilon,
            "index": index,
            "label": labels[chosen],
            "prediction": probability.argmax(dim=1),
            "probability": probability.amax(dim=1),
            "label_probability": probability.gather(1, labels[chosen].view(-1, 1)).squeeze(1),
            "largest_change": change.abs().amax(dim=1),
            "change_length": change.norm(dim=1),
        }
        rows.append(pd.DataFrame({key: value.cpu() if torch.is_tensor(value) else value for key, value in columns.items()}))
    return torch.stack(pictures).cpu().numpy(), pd.concat(rows, ignore_index=True)
