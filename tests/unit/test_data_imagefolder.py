"""A folder of class folders: every kind of image becomes upright RGB, and what cannot is named."""

import os

import numpy as np
import pytest
from PIL import Image

from pipeline_lib.data import dataset as canonical
from pipeline_lib.data import imagefolder
from pipeline_lib.errors import PipelineError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def picture(path, colour=RED, size=(8, 8), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def read(root, seed=0, **settings):
    defaults = {"test": None, "test_fraction": 0.25, "size": 8, "fit": "crop", "obtain": "Get it at example.org."}
    settings = defaults | {"train": str(root)} | settings
    return canonical.check(imagefolder.read(settings, seed)[0], "here")


def only(image, tmp_path, name="x.png", size=8, fit="crop", **options):
    """What becomes of one image: (size, size, 3)."""
    image.save(tmp_path / name, **options)
    return imagefolder._load([tmp_path / name], size, fit)[0].transpose(1, 2, 0)


@pytest.fixture
def folder(tmp_path):
    """Eight cats and four dogs in 12 shades of red."""
    shade = iter(range(0, 240, 20))
    for name, count in (("cat", 8), ("dog", 4)):
        for n in range(count):
            picture(tmp_path / "images" / name / f"{n}.png", (next(shade), 0, 0))
    return tmp_path / "images"


def test_labels_follow_the_sorted_class_folders_and_sources_the_files(folder):
    data = read(folder)
    assert data.class_names == ["cat", "dog"]
    assert data.source_id == sorted(data.source_id)
    assert [int(name.startswith("dog/")) for name in data.source_id] == data.train_labels.tolist()
    shades = {f"{name}/{n}.png": 20 * (n + offset) for name, offset, count in (("cat", 0, 8), ("dog", 8, 4)) for n in range(count)}
    assert data.train_images[:, 0, 0, 0].tolist() == [shades[name] for name in data.source_id]
    assert data.test_images[:, 0, 0, 0].tolist() == [shades[name] for name in data.test_source_id]


def test_the_split_takes_its_share_of_every_class_and_overlaps_nowhere(folder):
    data = read(folder)
    assert np.bincount(data.train_labels).tolist() == [6, 3]
    assert np.bincount(data.test_labels).tolist() == [2, 1]
    shades = [*data.train_images[:, 0, 0, 0], *data.test_images[:, 0, 0, 0]]
    assert sorted(shades) == list(range(0, 240, 20))


def test_the_split_depends_on_the_seed_and_not_on_where_the_folder_lies(folder):
    before = read(folder)
    assert read(folder, seed=1).source_id != before.source_id
    assert read(folder.rename(folder.with_name("a copy ü"))).source_id == before.source_id


def test_a_test_folder_is_used_whole(folder, tmp_path):
    for name in ("cat", "dog"):
        picture(tmp_path / "test" / name / "x.png", BLUE)
    data = read(folder, test=str(tmp_path / "test"))
    assert (len(data.train_labels), data.test_labels.tolist()) == (12, [0, 1])
    assert (data.test_images[:, 2] == 255).all()
    assert data.test_source_id == ["cat/x.png", "dog/x.png"]


def test_a_test_folder_with_other_classes_is_refused(folder, tmp_path):
    for name in ("cat", "wolf"):
        picture(tmp_path / "test" / name / "x.png")
    with pytest.raises(PipelineError, match=r"test: lacks the class folders dog, which .*images has. Training"):
        read(folder, test=str(tmp_path / "test"))
    (tmp_path / "test" / "wolf").rename(tmp_path / "test" / "dog")
    picture(tmp_path / "test" / "wolf" / "x.png")
    with pytest.raises(PipelineError, match=r"images: lacks the class folders wolf, which .*test has"):
        read(folder, test=str(tmp_path / "test"))


def test_files_that_are_passed_over_are_counted_but_for_the_hidden(folder, tmp_path, caplog):
    home = folder.rename(tmp_path / ".kept")  # a hidden folder further up hides nothing
    read(home)
    assert caplog.text == ""
    (home / "dog" / "x.heic").write_text("")
    (home / "dog" / "more").mkdir()
    (home / "dog" / "more" / "y.HEIC").write_text("")
    (home / "cat" / "z").write_text("")
    (home / "cat" / ".DS_Store").write_text("")
    (home / "README.md").write_text("in no class")
    read(home)
    picture(home / "lost.png")
    read(home)
    assert "passed over: 2 .heic, 1 without any. Read are .bmp" in caplog.text
    assert "1 images lie in no class folder and were passed over" in caplog.text


def test_nested_images_count_and_hidden_or_other_files_do_not(folder):
    picture(folder / "dog" / "more" / "deep" / "x.JPG")
    for hidden in (".x.png", ".ipynb_checkpoints/x.png", "more/.trash/x.png"):
        picture(folder / "dog" / hidden)
    (folder / "dog" / "notes.txt").write_text("not an image")
    (folder / "dog" / "folder.png").mkdir()
    (folder / ".git").mkdir()
    (folder / "README.md").write_text("not a class")
    images, names = imagefolder.scan(folder)
    assert names == ["cat", "dog"]
    assert [path.relative_to(folder).as_posix() for path, label in images if label == 1] == [
        *(f"dog/{n}.png" for n in range(4)),
        "dog/more/deep/x.JPG",
    ]


def test_a_class_folder_may_be_a_link(folder, tmp_path):
    (folder / "dog").rename(tmp_path / "far")
    (folder / "dog").symlink_to(tmp_path / "far", target_is_directory=True)
    assert np.bincount(read(folder).train_labels).tolist() == [6, 3]


def test_a_file_name_that_is_no_utf8_can_still_be_stored(folder, tmp_path):
    os.rename(folder / "dog" / "0.png", os.fsencode(folder / "dog") + b"/\xff.png")
    picture(tmp_path / "test" / "cat" / "x.png")
    picture(tmp_path / "test" / "dog" / "x.png")
    data = read(folder, test=str(tmp_path / "test"))
    canonical.write(tmp_path / "dataset.h5", data, {})
    assert canonical.read(tmp_path / "dataset.h5")[0].source_id[-1] == "dog/\ufffd.png"


@pytest.mark.parametrize(
    ("mode", "pixel", "options", "colour"),
    [
        ("L", 77, {}, (77, 77, 77)),
        ("1", 255, {}, (255, 255, 255)),
        ("LA", (77, 9), {}, (77, 77, 77)),
        ("RGBA", (255, 0, 0, 9), {}, RED),
        ("RGB", RED, {"transparency": RED}, RED),
        ("P", 3, {}, (10, 20, 30)),
        ("P", 3, {"transparency": b"\0\1\2\3"}, (10, 20, 30)),
    ],
)
def test_every_mode_becomes_rgb_without_its_transparency(tmp_path, mode, pixel, options, colour):
    image = Image.new(mode, (8, 8), pixel)
    if mode == "P":
        image.putpalette([0] * 9 + [10, 20, 30])
    assert (only(image, tmp_path, **options) == colour).all()


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    assert np.abs(only(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path, "x.jpg") - np.array(RED)).max() < 5


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_sixteen_bit_images_are_scaled_and_not_clipped(tmp_path, name):
    values = np.array([[0, 256, 1000, 32768, 40000, 65279, 65280, 65535]] * 8, dtype=np.uint16)
    grey = only(Image.fromarray(values), tmp_path, name)
    assert grey[0, :, 0].tolist() == [0, 1, 3, 128, 156, 254, 255, 255]
    assert (grey == grey[..., :1]).all()


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_images_of_32_bits_per_pixel_are_refused_because_nothing_says_what_is_white(tmp_path, kind):
    with pytest.raises(PipelineError, match=r"x\.tif \(32 bits per pixel; save it with 8 or 16\)"):
        only(Image.fromarray(np.full((8, 8), 1000, dtype=kind)), tmp_path, "x.tif")


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_photographs_are_turned_upright(tmp_path, orientation, corner):
    image = Image.new("RGB", (16, 16), BLUE)
    image.paste(RED, (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = only(image, tmp_path, size=2, fit="stretch", exif=exif)
    is_red = upright[..., 0] > upright[..., 2]
    assert [tuple(position) for position in np.argwhere(is_red)] == [corner]


def test_crop_keeps_the_shape_and_loses_the_edges_stretch_keeps_the_edges(tmp_path):
    wide = Image.new("RGB", (32, 8), GREEN)
    wide.paste(RED, (0, 0, 8, 8))
    wide.paste(BLUE, (24, 0, 32, 8))
    assert (only(wide, tmp_path, fit="crop") == GREEN).all()
    stretched = only(wide, tmp_path, fit="stretch")
    assert [tuple(pixel) for pixel in stretched[0, [0, 4, 7]]] == [RED, GREEN, BLUE]


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (50, 3), (500, 400)])
def test_images_of_any_size_fit(tmp_path, size):
    assert (only(Image.new("RGB", size, RED), tmp_path, size=16) == RED).all()


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_unreadable_images_are_all_named_and_then_counted(folder, content):
    for n in range(7):
        (folder / "cat" / f"{n}.png").write_bytes(content)
    with pytest.raises(PipelineError, match=r"cannot read .*cat/[0-6]\.png.* and 1 more\. Replace or remove these files"):
        imagefolder._load([folder / "cat" / f"{n}.png" for n in (0, 1, 2, 7, 3, 4, 5)], 8, "crop")


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_an_image_cut_short_is_named(tmp_path, name):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8))
    noise.save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PipelineError, match=rf"{name} \(.*truncated"):
        imagefolder._load([tmp_path / name], 8, "crop")


@pytest.mark.filterwarnings("default")  # as outside of tests: a warning stops nothing by itself
@pytest.mark.parametrize("pixels", [65, 100, 128, 129, 400])
def test_a_decompression_bomb_is_refused_from_the_limit_on(tmp_path, monkeypatch, pixels):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64)
    assert only(Image.new("RGB", (64, 1)), tmp_path).shape == (8, 8, 3)
    with pytest.raises(PipelineError, match=r"x\.png \(Image size .* could be decompression bomb"):
        only(Image.new("RGB", (pixels, 1)), tmp_path)


def test_an_empty_class_folder_is_named(folder):
    (folder / "wolf").mkdir()
    (folder / "wolf" / "notes.txt").write_text("")
    with pytest.raises(PipelineError, match=r"wolf: holds no image \(\.bmp, .*\)\. Fill it or remove the folder"):
        read(folder)


def test_one_class_is_too_few(folder):
    (folder / "dog").rename(folder / ".dog")
    with pytest.raises(PipelineError, match=r"images: needs one folder of images per class, at least two; found cat$"):
        read(folder)


def test_a_missing_folder_says_where_to_get_the_images(tmp_path):
    with pytest.raises(PipelineError, match=r"none: no such folder\. Get it at example\.org\.$"):
        read(tmp_path / "none")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "images.zip").write_text("")
    with pytest.raises(PipelineError, match=r"images\.zip: is no folder\. Put one folder of images per class there"):
        read(tmp_path / "images.zip", obtain="")


def test_a_name_with_the_end_of_a_line_in_it_does_not_break_tables(tmp_path):
    for name in ("a\nb", "c"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "x\ry.png")
        Image.new("RGB", (8, 8)).save(tmp_path / name / "z.png")
    settings = {"train": str(tmp_path), "test": None, "test_fraction": 0.5, "size": 8, "fit": "crop", "obtain": ""}
    dataset, _ = imagefolder.read(settings, 0)
    assert dataset.class_names == ["a\N{REPLACEMENT CHARACTER}b", "c"]
    assert all(name.isprintable() for name in dataset.source_id)
