"""Logits together with the features they are made of, from one forward pass, and what follows from the two."""

import torch
from torch import nn

from pipeline_lib.config import Recipe
from pipeline_lib.learn.augment import Images
from pipeline_lib.learn.train import predict


def embed(model: nn.Module, images: Images, recipe: Recipe, index: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Predict as `predict` does and keep what enters the last layer.

    Args:
        model: any network of ours: its last linear layer is `fc`.
        images: on the model's device.
        recipe: for the precision.
        index: (M,) int64 positions to predict, or None for all N.

    Returns:
        logits (M, classes) float32 and features (M, D) float32, in the order of the positions. Where the forward pass
        computes in bfloat16, the features carry its precision.

    Raises:
        PipelineError: a logit is not a number: the last steps of the training have diverged.
    """
    seen = []
    hook = model.fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
    try:
        logits = predict(model, images, recipe, index, seen)
    finally:
        hook.remove()
    return logits, torch.cat(seen)


def gradient_norm(logits: torch.Tensor, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the norm of each example's gradient of the cross-entropy in the last layer's weights and bias.

    The gradient in the weights is the outer product of the error p - onehot(y) and the features h, the one in the bias is
    the error itself; so its norm is ||p - onehot(y)|| * sqrt(1 + ||h||^2), and the product itself is never built.

    Args:
        logits: (M, classes) float32.
        features: (M, D) float32.
        labels: (M,) int64.

    Returns:
        (M,) float32, 0 or more.

    Source: Paul, Ganguli, Dziugaite 2021 (GraNd), for the last layer alone.
    """
    error, rows = logits.softmax(dim=1), torch.arange(len(labels), device=labels.device)
    error[rows, labels] = 0
    error[rows, labels] = -error.sum(dim=1)  # p - 1, with the digits that it would lose next to 0
    return error.norm(dim=1) * (1 + features.square().sum(dim=1)).sqrt()


def distance_to_class_mean(features: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return each example's Euclidean distance to the mean feature of its class.

    Args:
        features: (M, D) float32.
        labels: (M,) int64.
        classes: how many there are; one without an example is never looked up.

    Returns:
        (M,) float32, 0 or more.
    """
    # one class at a time: adding up by index would sum in another order on every run on a GPU
    means = torch.stack([features[labels == label].mean(dim=0) for label in range(classes)])
    return (features - means[labels]).norm(dim=1)
