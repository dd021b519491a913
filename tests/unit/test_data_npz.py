"""A local .npz: what is taken, and what is refused in words that name the file."""

import numpy as np
import pytest

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data import npz
from pipeline_lib.errors import PipelineError

IMAGES = np.arange(4 * 2 * 5 * 3, dtype=np.uint8).reshape(4, 2, 5, 3)
ARRAYS = {
    "train_images": IMAGES,
    "train_labels": np.array([1, 0, 1, 2]),
    "test_images": IMAGES[:2],
    "test_labels": np.array([2, 0]),
    "class_names": np.array(["cat", "dog", "Löwe"]),
}


def read(tmp_path, arrays, save=np.savez):
    path = tmp_path / "my data.npz"
    save(path, **arrays)
    return npz.read({"npz": str(path)}, seed=0)[0]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_become_channels_first_and_everything_else_stays(tmp_path, save):
    data = canonical.check(read(tmp_path, ARRAYS, save), "here")
    assert np.array_equal(data.train_images, IMAGES.transpose(0, 3, 1, 2))
    assert np.array_equal(data.test_images, IMAGES[:2].transpose(0, 3, 1, 2))
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == ([1, 0, 1, 2], [2, 0])
    assert data.train_labels.dtype == np.int64
    assert data.class_names == ["cat", "dog", "Löwe"]
    assert data.source_id == ["train/0", "train/1", "train/2", "train/3"]


def test_grey_images_may_lack_the_channel_axis(tmp_path):
    grey = {"train_images": IMAGES[..., 0], "test_images": IMAGES[:2, ..., :1]}
    data = canonical.check(read(tmp_path, ARRAYS | grey), "here")
    assert np.array_equal(data.train_images[:, 0], IMAGES[..., 0])
    assert data.test_images.shape == (2, 1, 2, 5)


def test_without_names_the_classes_are_the_training_labels(tmp_path):
    arrays = {name: array for name, array in ARRAYS.items() if name != "class_names"}
    assert read(tmp_path, arrays).class_names == ["0", "1", "2"]


def test_names_stored_as_bytes_are_text(tmp_path):
    assert read(tmp_path, ARRAYS | {"class_names": np.array([b"a", b"b", b"c"])}).class_names == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["train_images", "train_labels", "test_images", "test_labels"])
def test_a_missing_array_is_named_with_those_there_are(tmp_path, name):
    arrays = {key: array for key, array in ARRAYS.items() if key != name}
    with pytest.raises(PipelineError, match=rf"my data\.npz: lacks {name}; it has {', '.join(arrays)}$"):
        read(tmp_path, arrays)


TRUE_LABELS = np.array([1, 0, 2, 2])


def read_with_truth(tmp_path, arrays):
    np.savez(tmp_path / "x.npz", **arrays)
    return canonical.check(npz.read({"npz": tmp_path / "x.npz", "true_labels": True}, 0)[0], "here")


def test_true_labels_are_read_where_they_are_asked_for(tmp_path):
    data = read_with_truth(tmp_path, ARRAYS | {"true_labels": TRUE_LABELS.astype(np.int16)})
    assert (data.train_labels.tolist(), data.true_labels.tolist()) == ([1, 0, 1, 2], TRUE_LABELS.tolist())
    assert data.true_labels.dtype == np.int64
    assert read(tmp_path, ARRAYS | {"true_labels": TRUE_LABELS}).true_labels is None


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (None, r"x\.npz: lacks true_labels; it has"),
        (TRUE_LABELS.astype(float), r"x\.npz: true_labels must be whole numbers, not float64"),
        (TRUE_LABELS[:3], r"one of the 3 classes \(0 to 2\) for each of the 4 training images"),
        (TRUE_LABELS + 1, r"one of the 3 classes \(0 to 2\)"),
        (TRUE_LABELS - 1, r"one of the 3 classes \(0 to 2\)"),
    ],
)
def test_true_labels_that_are_none_are_refused(tmp_path, truth, message):
    with pytest.raises(PipelineError, match=message):
        read_with_truth(tmp_path, ARRAYS if truth is None else ARRAYS | {"true_labels": truth})


SHAPES = r"must be uint8 of shape \(N, H, W\), \(N, H, W, 1\) or \(N, H, W, 3\), not"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"train_images": IMAGES / 255}, rf"train_images {SHAPES} float64 \(4, 2, 5, 3\)"),
        ({"test_images": IMAGES[0, 0]}, rf"test_images {SHAPES} uint8 \(5, 3\)"),
        ({"train_images": IMAGES.transpose(0, 3, 1, 2)}, rf"train_images {SHAPES} uint8 \(4, 3, 2, 5\)"),
        ({"train_labels": np.array([0.0, 1, 1, 2])}, "train_labels must be whole numbers, not float64"),
        ({"train_labels": np.array(["a", "b", "b", "c"])}, "train_labels must be whole numbers, not <U1"),
        ({"train_labels": np.array([0, 1, 2])}, r"4 train_images but train_labels of shape \(3,\)"),
        ({"test_labels": np.array([[0], [1]])}, r"2 test_images but test_labels of shape \(2, 1\)"),
        ({"train_labels": np.array(1)}, r"4 train_images but train_labels of shape \(\)"),
    ],
)
def test_arrays_of_another_type_or_shape_are_refused(tmp_path, change, what):
    with pytest.raises(PipelineError, match=rf"my data\.npz: {what}"):
        read(tmp_path, ARRAYS | change)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"train_labels": np.array([0, 1, 2, 3])}, r"train labels run from 0 to 3, but there are 3 classes \(0 to 2\)"),
        ({"test_labels": np.array([-1, 0])}, r"test labels run from -1 to 0, but there are 3 classes"),
        ({"train_labels": np.array([0, 1, 1, 0])}, "no training image of class Löwe"),
    ],
)
def test_labels_outside_the_classes_are_refused(tmp_path, change, what):
    with pytest.raises(PipelineError, match=what):
        canonical.check(read(tmp_path, ARRAYS | change), "here")


@pytest.mark.parametrize("name", ["train_labels", "class_names", "extra"])
def test_pickled_objects_are_refused(tmp_path, name):
    with pytest.raises(PipelineError, match=r"my data\.npz: damaged or not an \.npz of plain arrays .*Replace it"):
        read(tmp_path, ARRAYS | {name: np.array([0, None, 1, 2], dtype=object)})


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("left", [0, 10, 0.5, 0.99])
def test_a_file_cut_short_is_refused(tmp_path, save, left):
    path = tmp_path / "x.npz"
    save(path, **ARRAYS)
    whole = path.read_bytes()
    path.write_bytes(whole[: left if isinstance(left, int) else int(left * len(whole))])
    with pytest.raises(PipelineError, match=r"x\.npz: damaged or not an \.npz"):
        npz.read({"npz": path}, seed=0)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_no_flipped_byte_ends_in_a_traceback(tmp_path, save):
    path = tmp_path / "x.npz"
    save(path, **ARRAYS)
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            npz.read({"npz": path}, seed=0)
        except PipelineError:
            refused += 1
    assert refused > len(whole) / 7 / 2


def test_one_bare_array_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", IMAGES)
    with pytest.raises(PipelineError, match=r"it holds one array, as numpy\.save writes it; use numpy\.savez"):
        npz.read({"npz": tmp_path / "x.npy"}, seed=0)


def test_a_missing_file_is_named_with_the_key_that_points_there(tmp_path):
    with pytest.raises(PipelineError, match=r"none\.npz: missing\. Put the file there, or change `npz:` in config\.yaml"):
        npz.read({"npz": tmp_path / "none.npz"}, seed=0)
