"""The 1,797 handwritten digits of 8x8 pixels that ship with scikit-learn."""

import numpy as np

from pipeline_lib.data.dataset import Dataset, stratified_split
from pipeline_lib.rng import generator

NOTE = "scikit-learn's copy of the UCI optical digits test set (CC BY 4.0), E. Alpaydin and C. Kaynak 1998"
BRIGHTEST = 16  # grey values are 0..16


def read(settings: dict, seed: int) -> tuple[Dataset, str]:
    """Return (data set, licence note), split into training and test with a fixed seed.

    Args:
        settings: `test_fraction`.
        seed: study seed.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / BRIGHTEST)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    train, test = stratified_split(labels, settings["test_fraction"], generator(seed, "test split", "digits"))
    names = [str(digit) for digit in range(10)]
    ids, test_ids = ([f"digits/{i}" for i in positions] for positions in (train, test))
    return Dataset(images[train], labels[train], images[test], labels[test], names, ids, test_source_id=test_ids), NOTE
