"""The confident joint by hand, on noise put in on purpose, and the table of all examples."""

from io import StringIO

import numpy as np
import pandas as pd

from pipeline_lib.analyse.ranking import RULE, likely_mislabelled, ranking


def test_by_hand():
    # thresholds: class 0: (.9 + .5 + .1) / 3 = .5; class 1: (.8 + .6) / 2 = .7
    p = np.array([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])
    flag, suggested = likely_mislabelled(p, np.array([0, 0, 0, 1, 1]))
    # the third reaches class 1 only; the last reaches neither (.4 < .5, .6 < .7), so nothing is said about it
    assert flag.tolist() == [False, False, True, False, False]
    assert suggested.tolist() == [0, 0, 1, 1, 1]


def test_of_several_classes_that_are_reached_the_most_probable_counts():
    # thresholds .3, .4, .45
    p = np.array([[0.3, 0.25, 0.45], [0.35, 0.4, 0.25], [0.3, 0.25, 0.45]])
    flag, suggested = likely_mislabelled(p, np.array([0, 1, 2]))
    assert flag.tolist() == [True, False, False]
    assert suggested.tolist() == [2, 1, 2]


def test_a_confident_class_does_not_swallow_a_hesitant_one():
    # the plain argmax says class 0 everywhere; class 1 gets .4 on average, so .45 is a belief in it, .52 none in class 0
    p = np.array([[0.95, 0.05], [0.97, 0.03], [0.52, 0.48], [0.55, 0.45], [0.65, 0.35]])
    flag, suggested = likely_mislabelled(p, np.array([0, 0, 0, 1, 1]))
    assert p.argmax(axis=1).tolist() == [0] * 5
    assert flag.tolist() == [False, False, True, False, False]
    assert suggested[2] == 1


def test_a_class_without_examples_is_never_suggested():
    p = np.array([[0.1, 0.1, 0.8], [0.2, 0.7, 0.1], [0.7, 0.2, 0.1]])
    flag, suggested = likely_mislabelled(p, np.array([0, 1, 0]))
    assert 2 not in suggested
    assert not flag.any()


def test_equal_probabilities_are_no_reason_to_doubt():
    p = np.full((7, 3), 1 / 3)
    assert not likely_mislabelled(p, np.arange(7) % 3)[0].any()
    p = np.full((7, 10), 0.1, dtype=np.float32)
    assert not likely_mislabelled(p, np.arange(7))[0].any()


def noisy(examples=3000, classes=5, rate=0.1, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, examples)
    wrong = rng.random(examples) < rate
    given = np.where(wrong, (true + rng.integers(1, classes, examples)) % classes, true)
    logits = rng.normal(size=(examples, classes))
    logits[np.arange(examples), true] += 6
    logits[np.arange(examples), given] += 1  # in-sample: the given label is partly learnt
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), given, true


def test_noise_put_in_on_purpose_is_found_and_mended():
    p, given, true = noisy()
    flag, suggested = likely_mislabelled(p, given)
    wrong = given != true
    assert (flag & wrong).sum() / wrong.sum() > 0.75
    assert (flag & wrong).sum() / flag.sum() > 0.9
    assert (suggested[flag & wrong] == true[flag & wrong]).mean() > 0.95
    assert (suggested[~flag] == given[~flag]).all()
    assert (suggested[flag] != given[flag]).all()


def test_permuting_the_examples_permutes_the_flags():
    p, given, _ = noisy(300)
    order = np.random.default_rng(1).permutation(300)
    flag, suggested = likely_mislabelled(p, given)
    again = likely_mislabelled(p[order], given[order])
    assert np.array_equal(again, (flag[order], suggested[order]))


def table():
    scores = {"el2n": np.array([0.1, 0.9, 0.5, 0.5]), "flip": np.array([3.0, 0, 0, 0])}
    flag = np.array([False, True, False, False])
    return ranking(scores, np.array([0, 1, 1, 0]), ["cat", "dog"], ["a.png", "b.png", "c.png", "d.png"], flag, RULE, [0, 0, 1, 0])


def test_the_table_says_everything_about_every_example():
    found = table()
    assert list(found.columns) == (
        ["index", "file", "label", "el2n", "el2n_rank", "flip", "flip_rank", "likely_mislabelled", "suggested_label", "rule"]
    )
    assert found["index"].tolist() == [0, 1, 2, 3]
    assert found["file"].tolist() == ["a.png", "b.png", "c.png", "d.png"]
    assert found["label"].tolist() == ["cat", "dog", "dog", "cat"]
    assert found["likely_mislabelled"].tolist() == [False, True, False, False]
    assert found["suggested_label"].tolist() == ["", "cat", "", ""]
    assert found["rule"].tolist() == ["", RULE, "", ""]


def test_rank_1_is_the_hardest_and_ties_share_their_mean_rank():
    assert table()["el2n_rank"].tolist() == [4, 1, 2.5, 2.5]
    assert table()["flip_rank"].tolist() == [1, 3, 3, 3]


def test_a_class_may_be_called_anything():
    names = ["null", 'a,"b"']
    written = ranking({}, np.array([0, 1]), names, ["0", "1"], np.array([True, False]), RULE, np.array([1, 1])).to_csv(index=False)
    back = pd.read_csv(StringIO(written), keep_default_na=False)
    assert back["label"].tolist() == names
    assert back["suggested_label"].tolist() == ['a,"b"', ""]
