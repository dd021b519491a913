"""What is odd about a data set, though it can be trained on: what somebody should know who looks for wrong labels."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

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
    copies = [(label, found) for image, label in tested if (found := places.get(_hash(image)))]
    if not copies:
        return []
    agree = sum(label in dataset.train_labels[found] for label, found in copies)
    other = f", {len(copies) - agree:,} of them under another label" if agree < len(copies) else ""
    named = _some([dataset.source_id[found[0]] for _, found in copies])
    found = [f"{len(copies):,} test images are training images as well{other} (copies of {named})"]
    return [*found, f"accuracies are too high by up to {agree / len(dataset.test_labels):.1%} for that"] if agree else found


def _contradictions(dataset: Dataset, groups: Iterable[list[int]]) -> list[str]:
    labels, names = dataset.train_labels, dataset.class_names
    found = [group for group in groups if len(set(labels[group])) > 1]
    if not found:
        return []
    one_each = [list({labels[index]: index for index in reversed(group)}.values())[::-1] for group in found]
    named = [" and ".join(f"{dataset.source_id[i]} ({names[labels[i]]})" for i in group) for group in one_each]
    return [f"training images that come several times, with different labels: {_some(named)}"]


def _some(names: list[str]) -> str:
    """Name the first few, each once, and count the others."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return one_of(names[:NAMED]) + more


def _thin_classes(dataset: Dataset) -> list[str]:
    found = []
    for split, fewest, words in (("train", 1, "have a single training image"), ("test", 0, "have no test image")):
        counts = np.bincount(getattr(dataset, f"{split}_labels"), minlength=dataset.classes)
        thin = [name for name, count in zip(dataset.class_names, counts, strict=True) if count <= fewest]
        if thin:
            found.append(f"classes that {words}: {_some(thin)}")
    return found
