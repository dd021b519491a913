"""What is odd about a data set, though it can be trained on: what somebody should know who looks for wrong labels."""

import hashlib
from collections import defaultdict

import numpy as np

from pipeline_lib.data.dataset import Dataset
from pipeline_lib.errors import one_of

NAMED = 3  # examples named of each kind


def oddities(dataset: Dataset) -> list[str]:
    """Return sentences about equal images (once all have one size) and about classes that hardly exist."""
    places = defaultdict(list)  # of every training image
    for index, image in enumerate(dataset.train_images):
        places[_hash(image)].append(index)
    return [*_leaks(dataset, places), *_contradictions(dataset, places.values()), *_thin_classes(dataset)]


def _hash(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()


def _leaks(dataset: Dataset, places: dict[bytes, list[int]]) -> list[str]:
    tested = zip(dataset.test_images, dataset.test_labels, strict=True)
    pairs = [(label, found[0]) for image, label in tested if (found := places.get(_hash(image)))]
    if not pairs:
        return []
    named = one_of(dataset.source_id[index] for _, index in pairs[:NAMED])
    other = sum(label != dataset.train_labels[index] for label, index in pairs)
    under = f", {other:,} of them under another label" if other else ""
    copies = f"{len(pairs):,} test images are training images as well (copies of {named}){under}"
    return [f"{copies}: accuracies are too high by what they add"]


def _contradictions(dataset: Dataset, groups) -> list[str]:
    labels, names = dataset.train_labels, dataset.class_names
    found = [group for group in groups if len(set(labels[group])) > 1]
    if not found:
        return []
    one_each = [list({labels[index]: index for index in reversed(group)}.values())[::-1] for group in found[:NAMED]]
    named = "; ".join(" and ".join(f"{dataset.source_id[i]} ({names[labels[i]]})" for i in group) for group in one_each)
    return [f"different labels of the same image, {len(found):,} times: {named}"]


def _thin_classes(dataset: Dataset) -> list[str]:
    found = []
    for split, fewest, words in (("train", 1, "have a single training image"), ("test", 0, "have no test image")):
        counts = np.bincount(getattr(dataset, f"{split}_labels"), minlength=dataset.classes)
        thin = [name for name, count in zip(dataset.class_names, counts, strict=True) if count <= fewest]
        if thin:
            found.append(f"classes that {words}: {one_of(thin)}")
    return found
