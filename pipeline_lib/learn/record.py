"""Train one ensemble member and record the dynamics of every training example.

Reading is `pipeline_lib.dynamics`, apart from here, so that a change there does not train the ensemble again.
"""

import logging
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from pipeline_lib import storage
from pipeline_lib.config import Recipe
from pipeline_lib.learn.train import Data, Trained, loss_and_accuracy, predict, train

log = logging.getLogger("pipeline")
EPOCH_CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "test_loss", "test_accuracy")


def record(
    data: Data, recipe: Recipe, study_seed: int, run_seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], Trained]:
    """Train on all examples and keep the clean logits of each after every epoch.

    Args:
        data: the data set on its device.
        recipe: how to train; `recipe.epochs` is T.
        study_seed, run_seed: determine everything random.

    Returns:
        logits (T, N, C) float16, prediction (T, N) int16 (argmax before rounding), curves (T,) each, the training's record.

    Raises:
        PipelineError: the training diverged.
    """
    shape = (recipe.epochs, data.train.examples, data.classes)
    logits = torch.empty(shape, dtype=torch.float16)
    prediction = torch.empty(shape[:2], dtype=torch.int16)  # 8 bits would overflow past 127 classes
    curves = {name: np.full(recipe.epochs, np.nan) for name in EPOCH_CURVES}
    largest = torch.finfo(torch.float16).max

    with tqdm(total=recipe.epochs, desc=f"seed {run_seed}", unit="epoch", disable=None) as bar:

        def after_epoch(epoch: int, model: torch.nn.Module) -> None:
            clean = predict(model, data.train, recipe)
            logits[epoch] = clean.clamp(-largest, largest).half()
            prediction[epoch] = clean.argmax(dim=1).to(torch.int16)
            curves["train_loss"][epoch], curves["train_accuracy"][epoch] = loss_and_accuracy(clean, data.train_labels)
            test = predict(model, data.test, recipe)
            curves["test_loss"][epoch], curves["test_accuracy"][epoch] = loss_and_accuracy(test, data.test_labels)
            log.info(
                "epoch %d: accuracy %.4f train, %.4f test",
                epoch + 1,
                curves["train_accuracy"][epoch],
                curves["test_accuracy"][epoch],
            )
            bar.set_postfix(train=f"{curves['train_accuracy'][epoch]:.3f}", test=f"{curves['test_accuracy'][epoch]:.3f}")
            bar.update()

        trained = train(data, np.arange(data.train.examples), recipe, study_seed, run_seed, after_epoch)
    curves["validation_loss"][:] = trained.validation_loss
    curves["validation_accuracy"][:] = trained.validation_accuracy
    return logits.numpy(), prediction.numpy(), curves, trained


def write(path: str | Path, logits: np.ndarray, prediction: np.ndarray, curves: dict[str, np.ndarray], attrs: dict) -> None:
    """Write one seed's dynamics.

    Args:
        path: results/{dataset}/dynamics/seed{seed}.h5
        logits: (T, N, C) float16.
        prediction: (T, N) int16, the exact argmax before rounding to half precision.
        curves: name in EPOCH_CURVES -> (T,) float64; NaN where there is no such split.
        attrs: recipe, seed, dataset fingerprint, device, speed.
    """
    storage.write_h5(path, {"logits": logits, "prediction": prediction, **curves}, attrs)
