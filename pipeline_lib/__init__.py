"""Which part of an image training set is worth training on: data, training, metrics, pruning, analysis, figures."""

from pipeline_lib import forkserver

forkserver.hand_over()  # a job of the workflow begins as a fork, where it can
