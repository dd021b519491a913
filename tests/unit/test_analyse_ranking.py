"""Doubted labels by hand and on noise put in on purpose, and the table of all examples."""

from io import StringIO

import numpy as np
import pandas as pd

from pipeline_lib.analyse.ranking import LEAD, RULE, cautions, likely_mislabelled, ranking


def test_by_hand():
    p = np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [0.2, 0.8, 0.0], [0.7, 0.3, 0.0], [0.75, 0.125, 0.125]])
    flag, suggested = likely_mislabelled(p, np.array([0, 0, 0, 1, 1, 2]))
    # the second is a draw; of the third class 2 leads sevenfold, of the fifth class 0 but twofold, of the last sixfold
    assert flag.tolist() == [False, False, True, False, False, True]
    assert suggested.tolist() == [0, 0, 2, 1, 1, 0]


def test_the_flagged_are_those_whose_margin_is_large():
    p, given, _ = noisy(300)
    log = np.log(p)
    own = log[np.arange(300), given].copy()
    log[np.arange(300), given] = -np.inf
    assert np.array_equal(likely_mislabelled(p, given)[0], log.max(axis=1) - own >= np.log(LEAD))


def test_a_wrong_label_that_is_half_learnt_is_found():
    # 3 of 10 examples labelled 1 are 0s; the label's own examples get .9, so the confident joint's threshold is .9 for class 0
    p = np.array([[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 7 + [[0.85, 0.15]] * 3)
    flag, suggested = likely_mislabelled(p, np.repeat([0, 1], 10))
    assert np.flatnonzero(flag).tolist() == [17, 18, 19]
    assert suggested[17:].tolist() == [0, 0, 0]


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
    assert (flag & wrong).sum() / wrong.sum() > 0.95
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


def believed(right, wrong, flagged=0):
    """A class of cats of which so many are taken for cats and so many for dogs, and some are doubted; and ten sure dogs."""
    cats = pd.DataFrame({"label": "cat", "belief": ["cat"] * right + ["dog"] * wrong, "likely_mislabelled": False})
    cats.loc[: flagged - 1, "likely_mislabelled"] = True
    return pd.concat([cats, pd.DataFrame({"label": ["dog"] * 10, "belief": "dog", "likely_mislabelled": False})])


def test_doubts_of_networks_that_know_too_little_or_too_much_come_with_a_caution():
    assert cautions(believed(9, 1)) == []
    [hesitant] = cautions(believed(4, 6))
    assert "only 70% of the given labels" in hesitant
    [by_heart] = cautions(believed(90, 1))
    assert "predict 99.0% of the given labels" in by_heart


def test_a_class_that_is_doubted_as_a_whole_comes_with_a_caution():
    [words] = cautions(believed(9, 1, flagged=4))
    assert "4 of the 10 labels of class cat are doubted" in words
    assert "balance: sampler" in words
    assert cautions(believed(9, 1, flagged=3)) == []


def test_a_learned_cut_off_that_doubts_many_more_than_the_fixed_rule_comes_with_a_caution():
    table = believed(9, 1, flagged=1)
    assert cautions(table.assign(below_threshold=[True] * 3 + [False] * 17)) == []
    [words] = cautions(table.assign(below_threshold=[True] * 5 + [False] * 15))
    assert "The learned cut-off doubts 5 labels, the fixed rule 1" in words


def test_cautions_do_not_depend_on_what_a_table_makes_of_the_names():
    names = pd.DataFrame({"label": ["1"] * 9 + ["x"], "belief": ["1"] * 10, "likely_mislabelled": False})
    assert cautions(pd.read_csv(StringIO(names.to_csv(index=False)))) == cautions(names) == []
