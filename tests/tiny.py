"""A training of no time at all."""

RECIPE = {
    "model": "small_cnn",
    "width": 4,
    "optimiser": {"name": "sgd", "lr": 0.05},
    "schedule": {"name": "constant"},
    "epochs": 2,
    "batch": 8,
    "precision": "float32",
}
