"""Which part of an image training set is worth training on: data, training, metrics, pruning, analysis, figures."""
