"""A map of the features in two dimensions: t-SNE of a seeded sample."""

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from pipeline_lib.rng import derive_seed, generator

PERPLEXITY = 30  # scikit-learn's default; van der Maaten and Hinton 2008 name 5 to 50
NEIGHBOURS = 3  # per unit of perplexity: as many neighbours scikit-learn looks at, so that many examples there must be


def embed(features: np.ndarray, examples: int, study_seed: int) -> pd.DataFrame:
    """Lay a sample of the examples out in the plane, near ones near.

    Args:
        features: (N, D) float32.
        examples: how many at most are laid out.
        study_seed: draws the sample; on one thread it determines the map to the last bit.

    Returns:
        One row per example laid out, by `index`, with `x` and `y` (no unit).
    """
    sample = generator(study_seed, "t-SNE sample").permutation(len(features))[:examples]
    sample.sort()
    perplexity = min(PERPLEXITY, (len(sample) - 1) / NEIGHBOURS)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=derive_seed(study_seed, "t-SNE") % 2**32, n_jobs=1)
    with threadpool_limits(1):
        x, y = tsne.fit_transform(features[sample]).T
    return pd.DataFrame({"index": sample, "x": x, "y": y})
