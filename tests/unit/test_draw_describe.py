"""The figures that describe a data set and its scores: their tables by hand, and what a reader finds in them."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from sklearn.neighbors import NearestNeighbors

from pipeline_lib import storage
from pipeline_lib.analyse import belief, elbow, tsne
from pipeline_lib.analyse import examples as choosing
from pipeline_lib.analyse.distributions import BARS, histograms
from pipeline_lib.config import Augmentation
from pipeline_lib.draw import augmentations, data_map, distributions, examples, picture, suspicious
from pipeline_lib.draw import elbow as elbow_figure
from pipeline_lib.draw import tsne as tsne_figure
from pipeline_lib.dynamics import Dynamics
from pipeline_lib.errors import PipelineError
from pipeline_lib.learn.preview import preview
from pipeline_lib.report import behind


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def rng(seed=0):
    return np.random.default_rng(seed)


def words(figure):
    """Everything that is written in a figure."""
    found = [text.get_text() for axes in figure.axes for text in axes.findobj(plt.Text) if text.get_text()]
    return "\n".join([*found, figure.get_suptitle(), figure.get_supxlabel()])


# --- distributions -----------------------------------------------------------------------------------------------------


def test_whole_numbers_get_one_bar_per_value():
    table = histograms({"pred_sum": np.array([0, 0, 0, 1, 3, 3])})
    assert table.columns.tolist() == ["metric", "low", "high", "count", "tied"]
    assert table.drop(columns="metric").to_numpy().tolist() == [[0, 0, 3, 3], [1, 1, 1, 0], [3, 3, 2, 0]]


def test_whole_numbers_that_no_two_examples_share_are_whole_numbers_still():
    assert histograms({"any": np.array([4, 2, 3])})[["low", "high"]].to_numpy().tolist() == [[2, 2], [3, 3], [4, 4]]


def test_the_last_bar_does_not_merge_two_values():
    """Ten equal bins over 0..10, as the thesis drew them, put 9 and 10 into one."""
    score = np.repeat(np.arange(11), 5)
    assert histograms({"pred_sum": score})["count"].tolist() == [5] * 11


def test_means_over_seeds_make_no_comb():
    """Equally many values per bin: flat scores on a grid of tenths are drawn flat."""
    score = np.tile(np.arange(0, 90) / 10, 7)
    table = histograms({"flip": score})
    assert len(table) <= BARS
    assert set(table["count"]) == {3 * 7}
    assert table["count"].sum() == len(score)


@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_continuous_scores_get_numpys_bins(scale):
    score = rng().normal(size=500) * scale
    table = histograms({"el2n": score})
    count, edges = np.histogram(score, BARS)
    assert table["count"].tolist() == count.tolist()
    assert [*table["low"], table["high"].iloc[-1]] == pytest.approx(edges.tolist())


@pytest.mark.parametrize(
    "score", [np.zeros(4), np.array([0.0, 1, 1, 1]), np.array([0, np.nextafter(0, 1), 1]), np.repeat(np.arange(60.0), 9)]
)
def test_every_example_is_counted_once(score):
    table = histograms({"any": score})
    assert table["count"].sum() == len(score)
    for bar in table.itertuples():
        last = bar.high == table["high"].max()
        inside = (score >= bar.low) & ((score < bar.high) | (score == (bar.high if last else bar.low)))
        assert bar.count == inside.sum()


def test_the_biggest_tie_is_counted_inside_its_bar():
    score = np.concatenate([np.full(60, 0.5), np.linspace(0, 1, 500)])
    table = histograms({"any": score})
    [bar] = table[table["tied"] > 0].itertuples()
    assert bar.tied == 60
    assert bar.low <= 0.5 <= bar.high
    assert bar.count > 60


def test_a_big_tie_is_marked_and_a_small_one_is_not():
    table = histograms({"forget": np.repeat([0, 1, 2], [80, 15, 5]), "el2n": rng().random(100)})
    figure = distributions.draw(table, {"forget": "events", "el2n": "a norm"}, "digits")
    forget, el2n = figure.axes
    assert [text.get_text() for text in forget.texts] == ["80% are equal (0)"]
    assert not el2n.texts
    assert sorted(bar.get_height() for bar in forget.patches) == [0, 0, 5, 15, 80, 80]
    assert (forget.get_title(loc="left"), forget.get_xlabel(), forget.get_ylabel()) == ("forget", "events", "examples")
    assert "100 training examples" in figure.get_suptitle()


def test_more_metrics_than_fit_a_row_begin_another():
    names = [f"m{i}" for i in range(6)]
    table = histograms({name: rng().random(50) for name in names})
    figure = distributions.draw(table, dict.fromkeys(names, "x"), "digits")
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()] == names


# --- t-SNE -------------------------------------------------------------------------------------------------------------


def test_the_map_keeps_neighbours_together():
    features = np.repeat(np.eye(3) * 10, 40, axis=0) + rng().normal(size=(120, 3)) * 0.1
    table = tsne.embed(features.astype(np.float32), 120, 0)
    _, near = NearestNeighbors(n_neighbors=6).fit(table[["x", "y"]]).kneighbors()
    assert (near // 40 == np.arange(120)[:, None] // 40).all()


def test_the_map_is_a_seeded_sample_and_the_same_again():
    features = rng().normal(size=(90, 5)).astype(np.float32)
    first, again, other = tsne.embed(features, 40, 0), tsne.embed(features, 40, 0), tsne.embed(features, 40, 1)
    pd.testing.assert_frame_equal(first, again)
    assert first["index"].tolist() == sorted(set(first["index"]))
    assert len(first) == 40
    assert first["index"].tolist() != other["index"].tolist()


def test_a_handful_of_examples_can_be_laid_out():
    assert len(tsne.embed(rng().normal(size=(5, 4)).astype(np.float32), 3000, 0)) == 5


def blobs(classes, apart=100):
    names = [f"class {c}" for c in range(classes)]
    label = np.repeat(np.arange(classes), 12)
    at = np.stack([label % 10, label // 10]) * apart + rng().normal(size=(2, len(label)))
    return pd.DataFrame({"index": np.arange(len(label)), "x": at[0], "y": at[1], "label": np.array(names)[label]}), names


def test_few_classes_have_a_legend_and_a_name_at_their_middle():
    table, names = blobs(4)
    axes = tsne_figure.draw(table, names, "digits", 50000).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names
    assert {text.get_text(): text.get_position()[0] for text in axes.texts} == {
        name: table.loc[table["label"] == name, "x"].median() for name in names
    }
    drawn = np.concatenate([dots.get_offsets() for dots in axes.collections])
    assert sorted(map(tuple, drawn)) == sorted(zip(table["x"], table["y"], strict=True))


def test_many_classes_are_coloured_by_number_and_a_few_named():
    table, names = blobs(40)
    figure = tsne_figure.draw(table, names, "digits", len(table))
    axes, scale = figure.axes
    assert axes.get_legend() is None
    assert len(axes.texts) == tsne_figure.NAMED
    assert axes.collections[0].get_array().tolist() == np.repeat(np.arange(40), 12).tolist()
    assert "0 to 39" in scale.get_ylabel()
    assert "all 480 training examples" in figure.get_supxlabel()


def test_no_name_stands_among_the_dots_of_other_classes():
    table, names = blobs(3, apart=0)
    table["label"] = np.resize(names, len(table))
    axes = tsne_figure.draw(table, names, "digits", len(table)).axes[0]
    named = [text.get_text() for text in axes.texts]
    for name in named:
        middle = table.loc[table["label"] == name, ["x", "y"]].median()
        nearest = np.hypot(*(table[["x", "y"]] - middle).to_numpy().T).argsort()[: tsne_figure.AROUND]
        assert (table["label"].iloc[nearest] == name).mean() > 0.5
    assert len(named) < 3


# --- examples ----------------------------------------------------------------------------------------------------------


def test_the_groups_by_hand():
    flag = np.array([False, True, False, True, True])
    table = choosing.choose(np.array([3.0, 1, 5, 4, 2]), flag, 2, rng())
    assert table.groupby("group", sort=False)["index"].agg(list).to_dict() == {
        "easiest": [1, 4],
        "hardest": [2, 3],
        "likely mislabelled": [3, 4],
    }
    assert table["score"].tolist() == [1, 2, 5, 4, 4, 2]


def test_ties_are_not_shown_in_storage_order():
    """An image folder is sorted by class: the first of equal scores would all be of one class."""
    table = choosing.choose(np.zeros(1000), np.zeros(1000, dtype=bool), 10, rng())
    assert table["index"].nunique() == 20
    assert table["index"].max() > 500
    assert table["index"].min() < 500


def table_of_examples(doubted):
    group = ["easiest"] * 2 + ["hardest"] * 2 + ["likely mislabelled"] * doubted
    count = len(group)
    given = {"index": range(count), "label": ["cat"] * count, "score": [0.5] * count}
    believed = {"belief": (["cat", "dog"] * count)[:count], "belief_probability": [0.87] * count}
    return pd.DataFrame({"group": group, **given, **believed, "likely_mislabelled": [False] * 3 + [True] * (count - 3)})


def test_label_score_and_belief_stand_above_each_image_and_doubts_are_coloured():
    images = rng().integers(0, 256, (6, 3, 8, 8)).astype(np.uint8)
    figure = examples.draw(table_of_examples(2), images, 3, 2, "pets", "el2n")
    grid = np.array(figure.axes).reshape(3, 3)
    assert grid[0, 0].get_title() == "label cat\nscore 0.5\nbelief cat\n87%"
    assert grid[0, 0].title.get_color() == picture.AGREED["color"]
    assert grid[0, 1].get_title() == "label cat\nscore 0.5\nbelief dog\n87%"
    assert grid[0, 1].title.get_color() == picture.DISPUTED["color"]
    assert grid[1, 1].title.get_color() == picture.MISLABELLED["color"]
    assert grid[2, 0].title.get_color() == picture.MISLABELLED["color"], "whatever is believed in the end"
    assert picture.COLOURS in figure.get_supxlabel()
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["easiest", "hardest", "likely\nmislabelled"]
    assert np.array_equal(grid[2, 1].images[0].get_array(), images[5].transpose(1, 2, 0))
    assert not grid[2, 2].images
    assert "2 of 6" in figure.get_supxlabel()


def test_small_images_keep_their_pixels():
    figure, (small, large) = plt.subplots(1, 2)
    picture.show(small, np.zeros((1, 8, 8), dtype=np.uint8))
    picture.show(large, np.zeros((3, 224, 224), dtype=np.uint8))
    assert [axes.images[0].get_interpolation() for axes in (small, large)] == ["nearest", "antialiased"]
    assert small.images[0].get_clim() == (0, 255)  # not stretched from its darkest to its brightest pixel


def test_no_doubted_label_is_said_in_words():
    table = table_of_examples(0).assign(likely_mislabelled=False)
    figure = examples.draw(table, np.zeros((4, 1, 8, 8), dtype=np.uint8), 3, 0, "pets", "el2n")
    assert "no label is doubted" in words(figure)


def test_class_names_are_cut_and_dollars_are_no_formula():
    assert picture.short("automobile", 10) == "automobile"
    assert picture.short("Cauliflower", 10) == "Cauliflow…"
    figure = plt.figure()
    written = figure.text(0, 0, picture.short("a $x$ b", 10))
    assert r"\$x\$" in written.get_text()
    figure.canvas.draw()


# --- augmentations -----------------------------------------------------------------------------------------------------


def test_examples_are_of_different_classes_as_long_as_there_are_some():
    labels = np.array([0] * 50 + [1] * 3 + [2])
    assert labels[choosing.of_different_classes(labels, 3, rng())].tolist() == [0, 1, 2]
    assert labels[choosing.of_different_classes(labels, 6, rng())].tolist() == [0, 0, 0, 1, 1, 2]
    assert len(choosing.of_different_classes(labels[:2], 8, rng())) == 2


def test_the_table_says_what_was_done_to_each_image():
    """Every drawn image follows from the original by the crop, the mirror and the rotation of its row."""
    images = rng().integers(0, 256, (5, 3, 12, 12)).astype(np.uint8)
    drawn, table = preview(images, Augmentation(crop_padding=3, flip=True), 4, rng())
    assert drawn.shape == (5, 5, 3, 12, 12)
    assert np.array_equal(drawn[0], images)
    assert table.columns.tolist() == ["row", "column", "crop_rows", "crop_columns", "flip", "angle"]
    assert table["flip"].nunique() == 2
    for place in table.itertuples():
        padded = np.pad(images[place.column], ((0, 0), (3, 3), (3, 3)), mode="reflect")
        top, left = 3 + place.crop_rows, 3 + place.crop_columns
        expected = padded[:, top : top + 12, left : left + 12]
        assert np.array_equal(drawn[place.row, place.column], expected[:, :, ::-1] if place.flip else expected)


def test_angles_are_degrees_within_the_recipes():
    _, table = preview(np.zeros((50, 1, 8, 8), dtype=np.uint8), Augmentation(rotation=10), 2, rng())
    changed = table.loc[table["row"] > 0, "angle"]
    assert 8 < changed.abs().max() <= 10
    assert (table.loc[table["row"] == 0, "angle"] == 0).all()


def test_a_border_wider_than_the_image_is_refused_in_words():
    with pytest.raises(PipelineError, match="crop_padding"):
        preview(np.zeros((1, 1, 8, 8), dtype=np.uint8), Augmentation(crop_padding=8), 1, rng())


def test_originals_stand_above_what_became_of_them():
    images = rng().integers(0, 256, (3, 1, 8, 8)).astype(np.uint8)
    drawn, table = preview(images, Augmentation(rotation=30), 2, rng())
    table["label"] = np.array(["a", "b", "c"])[table["column"]]
    figure = augmentations.draw(table, drawn, Augmentation(rotation=30), "digits")
    grid = np.array(figure.axes).reshape(3, 3)
    assert [axes.get_title() for axes in grid[0]] == ["a", "b", "c"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["original", "draw 1", "draw 2"]
    assert np.array_equal(grid[2, 1].images[0].get_array(), drawn[2, 1, 0])
    assert grid[2, 1].get_title().endswith("°")
    assert "rotated by up to 30°" in figure.get_suptitle()


def test_a_recipe_without_augmentation_says_so():
    drawn, table = preview(np.zeros((2, 1, 8, 8), dtype=np.uint8), Augmentation(), 1, rng())
    figure = augmentations.draw(table.assign(label="a"), drawn, Augmentation(), "digits")
    assert "no augmentation" in figure.get_suptitle()
    assert figure.axes[-1].get_title() == "unchanged"


# --- data map ----------------------------------------------------------------------------------------------------------


def recorded(label_probability):
    """Dynamics of two classes with the given probability of the label: (E, T, N); every label is class 1."""
    p = np.array(label_probability, dtype=float)
    logits = np.log(np.stack([1 - p, p], axis=-1))
    seeds = [{"logits": z, "prediction": z.argmax(axis=2)} for z in logits]
    return Dynamics(seeds, np.ones(p.shape[2], dtype=int))


def test_the_data_map_by_hand():
    # two seeds, two epochs, three examples: soon sure, never sure, in between with one seed changing its mind
    p = [[[0.9, 0.1, 0.2], [0.9, 0.1, 0.8]], [[0.7, 0.1, 0.6], [0.9, 0.1, 0.6]]]
    table = belief.cartography(recorded(p))
    assert table.columns.tolist() == ["index", "confidence", "variability", "correctness"]
    assert table["index"].tolist() == [0, 1, 2]
    assert table["confidence"].tolist() == pytest.approx([0.85, 0.1, 0.55])
    assert table["variability"].tolist() == pytest.approx([0.05, 0, 0.15])  # std over epochs, then mean over seeds
    assert table["correctness"].tolist() == [1, 0, 0.75]


def test_seeds_that_disagree_are_not_variability():
    """Each seed is sure of its own from the first epoch to the last: nothing varies over the epochs."""
    table = belief.cartography(recorded([[[0.9], [0.9]], [[0.1], [0.1]]]))
    assert table["variability"].tolist() == pytest.approx([0])


def test_the_data_map_draws_its_table():
    table = pd.DataFrame({"index": [4, 7], "confidence": [0.9, 0.2], "variability": [0.1, 0.3], "correctness": [1.0, 0.4]})
    figure = data_map.draw(table, "digits", 50000, 3)
    [axes] = [axes for axes in figure.axes if axes.get_xlabel().startswith("variability")]
    assert axes.get_ylabel().startswith("confidence")
    assert axes.collections[0].get_offsets().tolist() == [[0.1, 0.9], [0.3, 0.2]]
    assert axes.collections[0].get_array().tolist() == [1, 0.4]
    assert "2 of 50,000 training examples; means over 3 seeds" in figure.get_supxlabel()


def named(confidence, variability):
    """The names in a data map -> the places that they stand beside."""
    table = pd.DataFrame(
        {"index": range(len(confidence)), "confidence": confidence, "variability": variability, "correctness": 0.5}
    )
    [axes] = [axes for axes in data_map.draw(table, "digits", 900, 3).axes if axes.get_xlabel().startswith("variability")]
    return {text.get_text(): text.xy for text in axes.texts}


def test_the_names_in_the_data_map_stand_beside_their_examples():
    confidence = np.linspace(0.01, 0.99, 900)
    place = named(confidence, 0.4 * np.sqrt(confidence * (1 - confidence)))
    assert place["easy to learn"] == pytest.approx((0.05, 0.99), abs=0.02)
    assert place["hard to learn"] == pytest.approx((0.05, 0.01), abs=0.02)
    assert place["ambiguous"] == pytest.approx((0.2, 0.5), abs=0.02)


def test_nothing_is_called_ambiguous_where_the_most_variable_examples_are_the_easiest():
    confidence = np.linspace(0.1, 0.85, 900)
    place = named(confidence, 0.35 * confidence)
    assert list(place) == ["easy to learn", "hard to learn"]
    assert place["easy to learn"] == pytest.approx((0.3, 0.85), abs=0.02)
    assert place["hard to learn"] == pytest.approx((0.035, 0.1), abs=0.02)


# --- elbow -------------------------------------------------------------------------------------------------------------


def write_curve(path, **changes):
    arrays = {"elbow_k": np.array([2, 5, 9]), "elbow_inertia": np.array([9.0, 3, 2.5])}
    attrs = {"dataset": "abc", "clusters": 5} | changes
    storage.write_h5(path, arrays, attrs)
    return path


def test_the_curve_knows_which_number_was_chosen(tmp_path):
    table = elbow.read_curve(write_curve(tmp_path / "elbow.h5"), "abc")
    assert table.to_dict("list") == {"k": [2, 5, 9], "inertia": [9, 3, 2.5], "chosen": [False, True, False]}
    figure = elbow_figure.draw(table, "digits", "prototypes")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["chosen: 5 clusters"]
    assert axes.lines[0].get_xydata().tolist() == [[2, 9], [5, 3], [9, 2.5]]
    assert axes.get_xlabel() == "number of clusters k"


@pytest.mark.parametrize(("changes", "asked", "message"), [({}, "xyz", "another data set"), ({"clusters": 6}, "abc", "chosen")])
def test_a_curve_that_does_not_fit_is_refused(tmp_path, changes, asked, message):
    path = write_curve(tmp_path / "elbow.h5", **changes)
    with pytest.raises(PipelineError, match=f"(?s){message}.*cluster"):
        elbow.read_curve(path, asked)


# --- all ---------------------------------------------------------------------------------------------------------------


def test_drawing_loads_no_torch():
    """Torch costs seconds to import; of these figures only the augmentations need it."""
    names = ("analyse.belief", "analyse.distributions", "analyse.elbow", "analyse.examples", "analyse.tsne")
    names += tuple(
        f"draw.{name}" for name in ("augmentations", "data_map", "distributions", "elbow", "examples", "suspicious", "tsne")
    )
    code = "; ".join(f"import pipeline_lib.{name}" for name in names) + "; import sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_beliefs_by_hand_and_from_their_file(tmp_path):
    throughout = np.array([[0.6, 0.4, 0.0], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    final = np.array([[0.3, 0.7, 0.0], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9]])
    table = belief.beliefs(throughout, final, np.array([0, 0, 2]))
    assert table["likely_mislabelled"].tolist() == [False, True, False]
    assert table["suggested"].tolist() == [0, 1, 2]
    assert table["other"].tolist() == [1, 1, 0], "the most probable class that is not the label"
    assert table["lead"].tolist() == pytest.approx([0.4 / 0.6, 8, 1 / 8])
    assert table["belief"].tolist() == [1, 1, 2]
    assert table["belief_probability"].tolist() == [0.7, 0.8, 0.9]
    storage.write_csv(tmp_path / "belief.csv", table)
    pd.testing.assert_frame_equal(belief.read_beliefs(tmp_path / "belief.csv", 3), table)
    with pytest.raises(PipelineError, match="has 3 rows for 4 examples"):
        belief.read_beliefs(tmp_path / "belief.csv", 4)


def doubted():
    """Two images whose labels another class leads, far and a little, and one whose label leads."""
    throughout = np.array([[0.45, 0.55, 0.0], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    table = belief.beliefs(throughout, throughout, np.array([0, 0, 2]))
    return belief.suspicious(table, np.array([0, 0, 2]), ["cat", "dog", "cow"], ["a.png", "b.png", "c.png"])


def test_the_labels_to_look_at_come_with_the_largest_lead_first():
    table = doubted()
    assert table["file"].tolist() == ["b.png", "a.png"], "the label of the third leads"
    assert table[["label", "suggested_label", "belief"]].to_numpy().tolist() == [["cat", "dog", "dog"]] * 2
    assert table["lead"].tolist() == pytest.approx([8, 0.55 / 0.45])
    assert table["likely_mislabelled"].tolist() == [True, False]


def test_a_label_without_any_probability_is_led_without_end():
    table = belief.beliefs(np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]]), np.array([0]))
    assert np.isinf(table["lead"].item())
    assert table["likely_mislabelled"].item()


def test_the_figure_of_doubted_labels_says_how_many_there_are():
    images = np.zeros((3, 1, 8, 8), dtype=np.uint8)
    figure = suspicious.draw(doubted(), images, "pets")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["b.png\nlabel cat\nseems dog\n8.0× as probable", "a.png\nlabel cat\nseems dog\n1.2× as probable", ""]
    colours = [axes.title.get_color() for axes in figure.axes[:2]]
    assert colours == [picture.MISLABELLED["color"], picture.DISPUTED["color"]]
    assert picture.COLOURS in figure.get_supxlabel()
    named = suspicious.draw(doubted().assign(file="a class/a folder/picture 1.png"), images, "pets")
    assert named.axes[0].get_title().startswith("…er/picture 1.png\n")
    assert "likely mislabelled: at least 4 times as probable, 1 of 3; another class leads in 2" in figure.get_supxlabel()
    assert figure.get_suptitle() == "pets: the labels to look at first"
    assert suspicious.draw(doubted(), images, "pets", tested=True).get_suptitle() == "pets: the test labels to look at first"
    many = suspicious.draw(pd.concat([doubted()] * 40), images, "pets")
    assert len(many.axes) == 60
    assert "another class leads in 80, the first 60 of these drawn" in many.get_supxlabel()
    assert behind.suspicious(doubted().iloc[:0]).startswith("Another class leads in 0 training examples")
    none = suspicious.draw(doubted().iloc[:0], images, "pets")
    assert "every label is" in none.axes[0].texts[0].get_text()


@pytest.mark.parametrize("name", ["automobile", "international_lighthouse", "mammal of prey, unknown!"])
def test_the_words_over_neighbouring_images_do_not_touch(name):
    """Beside one another, of the largest lead and the longest file name, and each below the image above it."""
    longest = {"file": "a class/img_00157.png", "label": name, "suggested_label": name, "lead": 5000.0, "likely_mislabelled": True}
    doubts = pd.concat([doubted()] * 6, ignore_index=True).assign(**longest)
    believed = pd.concat([table_of_examples(2)] * 5).assign(label=name, belief=name, likely_mislabelled=True)
    images = np.zeros((12, 1, 8, 8), dtype=np.uint8)
    for figure in (suspicious.draw(doubts, images, "pets"), examples.draw(believed, images, 10, 9, "pets", "el2n")):
        figure.canvas.draw()
        grid = np.array(figure.axes).reshape(-1, 10)
        for row in grid:
            boxes = [axes.title.get_window_extent() for axes in row if axes.title.get_text()]
            assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))
        for above, below in zip(grid[:, 0], grid[1:, 0], strict=False):
            assert not below.title.get_text() or below.title.get_window_extent().y1 < above.get_window_extent().y0
