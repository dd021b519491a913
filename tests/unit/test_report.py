"""The report: whole, in order, escaped, and true to its tables."""

import base64
import hashlib
import html.parser
import math
import re
import subprocess
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from pipeline_lib import storage
from pipeline_lib.data import dataset as canonical
from pipeline_lib.errors import PipelineError
from pipeline_lib.report import behind, captions, provenance, summary
from pipeline_lib.report.assemble import Drawn, meta, sections
from pipeline_lib.report.build import ROWS, Figure, Listing, Meta, Section, Table, build, cell, excerpt, image
from pipeline_lib.report.words import Caption
from tests.unit import reports

VOID = {"meta", "img"}


class Page(html.parser.HTMLParser):
    """What a browser would find: elements, their attributes, and the text of some."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts, self.text = [], [], {}, text
        self.feed(text)
        self.close()
        assert not self.open, "elements that are never closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def attribute(self, name):
        return [attrs[name] for _, attrs in self.elements if name in attrs]

    def headings(self):
        return [text.strip() for text in self.texts["h2"] if text.strip()]


def page(study=None):
    study = study or reports.study()
    return Page(build(sections(study), meta(study)))


def parts(name, study):
    """What a section holds."""
    [section] = [section for section in sections(study) if section.name == name]
    return section.parts


def small(table):
    """A page with this table alone."""
    return Page(build([Section("one", "One", "", [table])], Meta("pets", [])))


# ---------------------------------------------------------------------------------------------------------------------
# the page


def test_names_from_the_data_cannot_become_markup():
    made = page()
    assert len(made.of("script")) == 1
    assert reports.HOSTILE not in made.text
    assert made.texts["td"].count(reports.HOSTILE) >= 2  # as a class and in the ranking, to be read as it is
    assert "<b>.png" in made.texts["td"]
    assert any(reports.HOSTILE in text for text in made.texts["pre"])


def test_a_hostile_figure_caption_and_data_set_name_are_escaped():
    words = Caption("data", reports.HOSTILE, reports.HOSTILE, f'">{reports.HOSTILE}', behind.points)
    figure = Figure("tsne", words, reports.HOSTILE, reports.png(), Table("t", pd.DataFrame({"<i>": ["<u>"]}), 1))
    made = Page(build([Section("one", "<em>", "<em>", [figure, Listing("<em>", "<em>")])], Meta("<em>", [("<em>", "<em>")])))
    assert len(made.of("script")) == 1
    assert not {"em", "i", "u"} & {tag for tag, _ in made.elements}
    assert made.of("img")[0]["alt"].endswith(f'">{reports.HOSTILE}')


def test_the_page_loads_nothing_and_runs_only_its_own_script():
    made = page()
    assert all(source.startswith("data:image/png;base64,") for source in made.attribute("src"))
    assert all(target.startswith("#") for target in made.attribute("href"))
    assert not {"link", "iframe", "object", "form"} & {tag for tag, _ in made.elements}
    assert not re.search(r"@import|url\(|https?://", "".join(made.texts["style"] + made.texts["script"]))
    [policy] = [attrs["content"] for attrs in made.of("meta") if "http-equiv" in attrs]
    digest = base64.b64encode(hashlib.sha256("".join(made.texts["script"]).encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert not [attrs for _, attrs in made.elements if any(name.startswith("on") for name in attrs)]


def test_sections_come_in_the_order_of_reading():
    order = ["What to read first", "Data set", "Metrics", "Examples", "Experiments", "Cost", "Claims", "Ranking"]
    assert page().headings() == [*order, "Configuration and versions"]


def test_figures_come_in_the_order_of_their_captions_whatever_the_order_given():
    names = ["cost", "prune_hardest", "area", "sliding_window", "prune_easiest"]
    tables = {"cost": reports.cost(), "area": reports.area()}
    figures = {name: Drawn(reports.png(), tables.get(name, reports.sweep()), "x.csv") for name in names}
    found = [part.name for part in parts("experiments", reports.study(figures=figures))]
    assert found == ["sliding_window", "prune_easiest", "area", "prune_hardest"]


def test_what_is_not_part_of_the_study_leaves_no_hole():
    made = page(reports.study(figures={}, tables={}))
    assert made.headings() == ["Data set", "Metrics", "Configuration and versions"]
    assert not made.of("img")


def test_every_entry_of_the_contents_leads_somewhere():
    made = page()
    targets = Counter(made.attribute("id"))
    assert {link.removeprefix("#") for link in made.attribute("href")} <= set(targets)
    assert max(targets.values()) == 1
    assert "examples-el2n" in targets


def test_equal_studies_give_equal_pages():
    assert page().text == page().text


def test_a_study_of_cifar_stays_below_15_megabytes():
    noise = np.random.default_rng(0)
    table = pd.DataFrame(noise.random((5000, 12)), columns=[f"c{i}" for i in range(12)]).assign(runs=3, index=0, group="easiest")
    figures = {f"examples/m{i}": Drawn(reports.png()[:33] + noise.bytes(250_000), table, "x.csv") for i in range(35)}
    study = reports.study(figures=figures)
    assert len(build(sections(study), meta(study)).encode()) < 15e6


# ---------------------------------------------------------------------------------------------------------------------
# figures and their words


@pytest.mark.parametrize("name", [*captions.CAPTIONS, "examples/el2n"])
def test_every_figure_has_words_for_somebody_who_never_saw_the_code(name):
    words = captions.caption(name)
    assert words.section in captions.SECTIONS
    assert words.title
    assert len(re.findall(r"[.?] [A-Z]", words.paragraph)) >= 1  # two sentences or more
    assert words.paragraph.endswith(".")
    assert words.axes.endswith(".")


def test_a_figure_without_words_is_refused():
    with pytest.raises(PipelineError, match=r"captions\.py has no words for the figure heat_map; it has them for .*sliding_window"):
        sections(reports.study(figures={"heat_map": Drawn(reports.png(), reports.sweep(), "x.csv")}))


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([3, 3], "mean of 3 trainings"),
        ([5, 2, 3], "mean of 2 to 5 trainings"),
        ([1, 1], "a single training, so there are no intervals"),
        ([1, 3], "mean of 1 to 3 trainings"),
        ([np.nan, 4], "mean of 4 trainings"),
        ([], "does not say"),
    ],
)
def test_a_caption_says_how_many_trainings_stand_behind_a_point(runs, said):
    sentence = behind.trainings(pd.DataFrame({"runs": runs}))
    assert said in sentence
    assert ("95%" in sentence) == ("mean of" in said)
    assert ("has no bar" in sentence) == (runs == [1, 3])


def test_other_captions_say_what_they_stand_on():
    assert behind.trainings(pd.DataFrame({"k": [1]})).startswith("The table does not say")
    reliability = pd.DataFrame({"seeds": [10, 10], "splits": [20, 0], "half_mean": [0.9, np.nan]})
    assert "10 seeds, halved in 20 ways" in behind.halves(reliability)
    assert "too few seeds" in behind.halves(reliability[1:])
    assert "42 training examples" in behind.scored(pd.DataFrame({"metric": ["a", "a", "b"], "count": [2, 40, 42]}))
    assert "2 numbers of clusters were tried, one k-means each; 9 is" in behind.tried(
        pd.DataFrame({"k": [5, 9], "chosen": [False, True]})
    )
    assert behind.pictures(pd.DataFrame({"group": ["hardest", "easiest", "hardest"], "index": 0})) == "hardest: 2; easiest: 1."
    assert behind.pictures(pd.DataFrame({"row": [0, 1, 2], "index": [4, 4, 4]})) == "1 training images, 3 pictures."


@pytest.mark.parametrize(("runs", "said"), [(4, "mean over 4 pairs"), (1, "a single pair of networks, so there are no intervals")])
def test_the_caption_of_barriers_counts_pairs(runs, said):
    assert said in captions.caption("connectivity").behind(pd.DataFrame({"runs": [runs, runs]}))


def test_a_figure_has_its_size_on_paper():
    figure = Figure("tsne", captions.caption("tsne"), "", reports.png(1500, 300), Table("t", pd.DataFrame(), 0))
    assert (image(figure)["width"], image(figure)["height"]) == (960, 192)
    assert base64.b64decode(image(figure)["src"].split(",")[1]) == figure.png


def test_a_file_that_is_no_picture_is_refused():
    figure = Figure("tsne", captions.caption("tsne"), "", b"", Table("t", pd.DataFrame(), 0))
    with pytest.raises(PipelineError, match="the figure tsne is not a PNG"):
        image(figure)


# ---------------------------------------------------------------------------------------------------------------------
# tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234567, "0.1235"),
        (0.1 + 0.2, "0.3"),
        (0.5, "0.5"),
        (np.float64(1438.0), "1438"),
        (12345.5, "12345.5"),  # a mean rank
        (49999.25, "49999.2"),
        (1.5e15, "1.5e+15"),
        (-0.00001234567, "-1.235e-05"),
        (np.int64(50000), "50000"),
        (0, "0"),
        (0.9 - 0.8 - 0.1, "0"),  # -2.8e-17
        (True, "yes"),
        (np.bool_(False), "no"),
        ("el2n", "el2n"),
    ],
)
def test_a_cell_reads_well_and_sorts_by_what_it_shows(value, text):
    made = cell(value)
    assert (made.text, made.key) == (text, None)


@pytest.mark.parametrize(
    ("value", "text", "key"),
    [(math.nan, "–", ""), (None, "–", ""), (pd.NA, "–", ""), (math.inf, "∞", "Infinity"), (-math.inf, "-∞", "-Infinity")],
)
def test_what_is_no_number_to_javascript_sorts_by_a_key(value, text, key):
    made = cell(value)
    assert (made.text, made.key) == (text, key)


def test_a_long_table_is_cut_and_says_so():
    made = small(excerpt("t", pd.DataFrame({"x": range(1234)}), "results/pets/t.csv"))
    assert len(made.of("tr")) == 1 + ROWS
    note = " ".join(made.texts["p"])
    assert f"The first {ROWS} of 1,234 rows; all of them in" in note
    assert "results/pets/t.csv" in made.texts["code"]


def test_a_short_table_is_whole_and_says_so():
    made = small(excerpt("t", pd.DataFrame({"x": [1, 2]}), "results/pets/t.csv"))
    assert "All 2 rows; the same in" in " ".join(made.texts["p"])


def test_columns_of_numbers_sort_as_numbers():
    frame = pd.DataFrame({"name": ["a"], "count": [1], "share": [0.5], "flag": [True], "runs": pd.array([pd.NA], dtype="Int64")})
    made = small(Table("t", frame, 1))
    assert ["data-number" in attrs for attrs in made.of("th")] == [False, True, True, False, True]
    assert len(made.of("button")) == 5  # what a keyboard can reach


def test_the_doubted_labels_stand_before_the_hardest():
    doubted, hardest = parts("ranking", reports.study())
    assert doubted.frame["index"].tolist() == [1]
    assert "the other class is surer" in doubted.paragraph
    assert hardest.frame["index"].tolist() == [2, 1, 3, 0]
    assert list(hardest.frame.columns[:5]) == ["index", "file", "label", "belief", "suggested_label"]
    assert (doubted.total, hardest.total) == (1, 4)


def test_without_doubted_labels_there_is_one_table():
    table = reports.ranking().assign(likely_mislabelled=False)
    [hardest] = parts("ranking", reports.study(tables={"ranking": (table, "r.csv")}))
    assert hardest.title == "Hardest"
    assert "suggested_label" not in hardest.frame


def test_a_table_nobody_described_keeps_its_name():
    [table] = parts("more", reports.study(tables={"kept_counts": (reports.claims(), "k.csv")}))
    assert (table.title, table.path) == ("kept counts", "k.csv")


def test_the_classes_are_counted():
    [table] = parts("data", reports.study())
    assert table.frame["training"].tolist() == [2, 1, 1]
    assert table.frame["wrong labels"].tolist() == [1, 0, 0]
    assert table.frame["share wrong"].tolist() == [0.5, 0, 0]
    assert "8 x 9 pixels, in colour; 1 to 2 training examples" in table.paragraph
    assert "1 training labels (25.0%) are known to be wrong" in table.paragraph


def test_labels_of_which_nothing_is_known_are_not_called_right():
    [table] = parts("data", reports.study(facts=reports.facts(None)))
    assert "Which labels are wrong is not known." in table.paragraph
    assert list(table.frame.columns) == ["class", "training", "test"]


# ---------------------------------------------------------------------------------------------------------------------
# what to read first


def test_the_best_window_is_told_with_interval_and_warning():
    said = summary.best_window({"sliding_window": reports.sweep()})
    assert "The best 40% of the data are those from 30% on in the order of difficulty by el2n" in said
    assert "90.0% (95% interval 88.0 to 92.0) test accuracy, the mean of 3 trainings" in said
    assert "5.0 percentage points above (+3.0 to +7.0, paired by seed) a random choice" in said
    assert "All data reach 93.0%" in said
    assert "best of 4 windows, and the best of many looks better than it is" in said


def test_random_subsets_drawn_anew_are_set_beside_random_that_stays_and_the_best_choice_at_hindsight():
    table = reports.sweep()
    anew = table[table["metric"] == "el2n"].assign(metric="repeated_random", accuracy_mean=[0.86, 0.88])
    easiest = pd.concat([table, anew])  # at 0% el2n has 80 and flip 85, at 30% el2n has 90
    said = summary.repeated_random({"prune_easiest": easiest})
    assert "At the 2 shares left out, from 0% to 30%, it is between -5.0 and +5.0 percentage points from" in said
    assert "surely above it at 1 (95%" in said
    assert "the higher mean at 1 of them" in said
    hardest = table[table["metric"] == "flip"].assign(accuracy_mean=0.87)
    assert "the higher mean at 2 of them" in summary.repeated_random({"prune_easiest": easiest, "prune_hardest": hardest})
    single = easiest.assign(gain_low=np.nan)
    assert "surely above it at none" in summary.repeated_random({"prune_easiest": single})
    assert summary.repeated_random({"prune_easiest": table}) is None
    assert summary.repeated_random({"sliding_window": easiest}) is None
    assert "repeated_random" not in summary.best_window({"sliding_window": pd.concat([table, anew.assign(accuracy_mean=0.99)])})


def test_a_window_that_may_be_no_better_is_not_praised():
    table = reports.sweep().assign(gain_low=-0.01)
    assert "a random choice of as many examples: no difference is shown." in summary.best_window({"sliding_window": table})


def test_a_single_run_claims_no_interval():
    said = summary.best_window({"sliding_window": reports.sweep(runs=1)})
    assert "a single training" in said
    assert "(without an interval) a random choice" in said
    assert "95%" not in said
    assert "paired" not in said


def test_a_variant_of_the_rule_is_named():
    said = summary.best_window({"sliding_window": reports.sweep().assign(balanced=True, budget="steps")})
    assert "by el2n (inside every class, equal steps)" in said


def test_pruning_pays_where_surely_less_than_a_point_is_lost():
    table = reports.cost()
    table.loc[table["metric"] == "flip", "over_full_low"] = -0.009  # el2n may lose three points
    said = summary.break_even({"cost": table})
    assert said.startswith("1 of 3 choices surely loses less than a point (by the 95% interval, paired by seed).")
    assert "The first of them to pay is leaving out 10% by flip: it saves as soon as 30 trainings share its scoring" in said
    assert "takes 3.5 times" in said
    assert "the best of many" not in said, "there is but one"


def test_choices_that_pay_earlier_but_may_lose_more_are_not_counted():
    table = reports.cost()
    sure = (table["metric"] == "flip") | (table["point"] == 0.1)
    table.loc[sure, "over_full_low"] = -0.009
    said = summary.break_even({"cost": table})
    assert "2 of 3 choices surely lose less than a point" in said
    assert "leaving out 10% by el2n: it saves as soon as 13 trainings" in said, "20% by el2n would pay after seven"


def test_pruning_whose_interval_reaches_below_is_not_praised():
    assert summary.break_even({"cost": reports.cost()}).startswith("None of 3 choices surely loses less than a point (")


def test_single_trainings_show_no_interval_of_what_pruning_loses():
    said = summary.break_even({"cost": reports.cost().assign(over_full_low=np.nan, over_full_high=np.nan)})
    assert "2 of 3 choices lose less than a point (single trainings, so without intervals)." in said
    assert "leaving out 10% by el2n" in said
    assert "95%" not in said


def test_choices_without_an_interval_are_not_sure_beside_others():
    table = reports.cost().assign(over_full_low=[-0.009, np.nan, np.nan, np.nan, np.nan])
    assert summary.break_even({"cost": table}).startswith("1 of 3 choices surely loses")


def test_pruning_that_never_gets_cheaper_is_not_praised():
    table = reports.cost().assign(trainings_to_break_even=np.inf, over_full_low=-0.005)
    assert "none of these saves anything" in summary.break_even({"cost": table})


def test_pruning_may_pay_at_once():
    table = reports.cost().assign(trainings_to_break_even=0.4, over_full_low=-0.005)
    assert "it saves from the first training on" in summary.break_even({"cost": table})


def test_doubted_labels_are_counted_against_what_is_known():
    said = summary.mislabelled(reports.ranking(), reports.facts().wrong)
    assert "1 of 4 training examples (25.0%) are likely mislabelled: the other class is surer." in said
    assert "1 labels are known to be wrong; 1 of them are among the doubted" in said
    assert "known to be wrong" not in summary.mislabelled(reports.ranking(), None)


def test_verdicts_are_counted():
    assert summary.verdicts({"claims": reports.claims()}) == "Of 3 claims: 1 supported, 1 contradicted, 1 not tested."


def test_the_summary_says_only_what_was_computed():
    subjects = [subject for subject, _ in summary.points({"claims": reports.claims()}, None).items]
    assert subjects == ["The thesis's claims"]
    whole = summary.points({"sliding_window": reports.sweep(), "area": reports.area(), "ranking": reports.ranking()}, None)
    assert [subject for subject, _ in whole.items] == ["The best window", "Leaving out the easiest", "Labels to look at"]
    assert "el2n +0.050" in dict(whole.items)["Leaving out the easiest"]


# ---------------------------------------------------------------------------------------------------------------------
# where it comes from


def test_a_data_set_is_read_without_its_images(tmp_path):
    images = np.zeros((4, 1, 8, 9), np.uint8)
    data = canonical.Dataset(images, reports.LABELS, images[:3], np.array([0, 1, 2]), reports.CLASSES, list("abcd"), reports.TRUE)
    canonical.write(tmp_path / "dataset.h5", data, {"source": {}, "note": "made up", "seed": 7})
    found = provenance.read_data(tmp_path / "dataset.h5")
    assert (found.class_names, found.shape, found.note) == (reports.CLASSES, (1, 8, 9), "made up")
    assert found.fingerprint == data.fingerprint()
    assert found.wrong.tolist() == [False, True, False, False]


def test_the_training_is_told_and_must_belong_to_the_data(tmp_path):
    attrs = {
        "dataset": "abc",
        "recipe": {"model": "small_cnn", "epochs": 10, "precision": "bfloat16"},
        "device": "cpu",
        "seconds": 1.25,
        "images_per_second": 9e4,
    }
    storage.write_h5(tmp_path / "seed0.h5", {}, attrs)
    told = provenance.read_training(tmp_path / "seed0.h5", "abc")
    assert told["device of the ensemble"] == "cpu"
    assert told["one seed of the ensemble"] == "small_cnn, 10 epochs in bfloat16, 1.2 s, 90,000 images/s"
    with pytest.raises(PipelineError, match=r"seed0\.h5: was recorded on another data set"):
        provenance.read_training(tmp_path / "seed0.h5", "other")


def test_versions_are_those_installed():
    found = provenance.versions()
    assert list(found) == ["python", "torch", "numpy", "scikit-learn", "faiss", "snakemake"]
    assert found["numpy"] == np.__version__
    assert "not installed" not in found.values()


def test_the_commit_is_told_of_a_checkout_alone(tmp_path):
    assert provenance.commit(tmp_path) is None

    def git(*arguments):
        identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "one")
    git("tag", "v1")
    clean = provenance.commit(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tmp_path / "file").write_text("two")
    assert provenance.commit(tmp_path) == f"{clean}-dirty"
    (tmp_path / "below").mkdir()
    assert provenance.commit(tmp_path / "below") is None


def test_the_page_names_what_made_it():
    made = page()
    for text in ("device of the ensemble", "cpu", "python", "3.12"):
        assert text in made.texts["td"]
    assert any("fedcba9876543210" in text for text in made.texts["td"])
    assert "commit" not in made.texts["td"]
