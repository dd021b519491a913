"""Laws that hold for any input: the storage layer, the run store, the config's validation, selection."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline_lib import storage
from pipeline_lib.config import parse_study
from pipeline_lib.errors import PipelineError
from pipeline_lib.prune import select
from pipeline_lib.prune.store import FIELDS, RunStore

PROJECT = Path(__file__).parents[2]
STUDY = yaml.safe_load((PROJECT / "config.yaml").read_text())
one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
NAMES = st.text(st.characters(exclude_characters="/.", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
KINDS = st.sampled_from([np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64, bool])
ARRAYS = hnp.arrays(KINDS, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
ATTRIBUTES = st.one_of(st.integers(-(2**60), 2**60), st.floats(allow_nan=False), NAMES)


@one_folder
@given(arrays=st.dictionaries(NAMES, ARRAYS, max_size=4), attrs=st.dictionaries(NAMES, ATTRIBUTES, max_size=4))
def test_arrays_and_attributes_come_back_from_hdf5(tmp_path, arrays, attrs):
    storage.write_h5(tmp_path / "x.h5", arrays, attrs)
    with storage.open_h5(tmp_path / "x.h5", "rule", tuple(arrays)) as file:
        for name, array in arrays.items():
            assert np.array_equal(file[name][()], array, equal_nan=array.dtype.kind == "f")
            assert file[name].dtype == array.dtype
        assert {name: file.attrs[name] for name in attrs} == attrs


@one_folder
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**60), 2**60), NAMES.filter(str.strip)),
        min_size=1,
        max_size=10,
    )
)
def test_tables_come_back_to_the_last_digit(tmp_path, rows):
    table = pd.DataFrame(rows, columns=["number", "count", "name"])
    storage.write_csv(tmp_path / "t.csv", table)
    again = storage.read_csv(tmp_path / "t.csv", ("number",), "rule")
    assert again["number"].tolist() == table["number"].tolist()
    assert again["count"].tolist() == table["count"].tolist()


@one_folder
@given(st.dictionaries(st.sampled_from(["accuracy", "seconds", "flops", "kept"]), st.floats(allow_nan=False)))
def test_a_run_comes_back_as_it_was_put(tmp_path, values):
    store = RunStore(tmp_path / str(abs(hash(str(values)))))
    run = dict.fromkeys(FIELDS, 1) | values | {"identity": "abcd", "class_accuracy": [0.5, None]}
    store.put(run)
    assert store.get("abcd") == run
    store.put(run | {"seconds": 99})
    assert store.get("abcd") == run, "the first stays"


HAMMER = """
import sys
from pipeline_lib.prune.store import FIELDS, RunStore
store = RunStore(sys.argv[1])
for number in range(150):
    key = f"{number:04x}"
    store.put(dict.fromkeys(FIELDS, number) | {"identity": key})
    assert store.get(key)["accuracy"] == number
"""


def test_many_writers_of_one_store_lose_nothing(tmp_path):
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    writers = [subprocess.Popen([sys.executable, "-c", HAMMER, tmp_path / "runs"], env=environment) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == [f"{number:04x}.json" for number in range(150)], "and nothing is left over"


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["all", "digits", "-1"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def places(value, path=()):
    """Every place in a nested config, as a path of keys."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def complaint(study):
    try:
        parse_study(study)
    except PipelineError as error:
        return str(error)
    return None


@settings(max_examples=400, deadline=None)
@given(
    place=st.sampled_from([path for path in places(STUDY) if path]), junk=JUNK, what=st.sampled_from(["replace", "remove", "add"])
)
def test_whatever_stands_in_the_config_is_accepted_or_refused_in_words(place, junk, what):
    study = copy.deepcopy(STUDY)
    parent = study
    for key in place[:-1]:
        parent = parent[key]
    if what == "remove":
        del parent[place[-1]]
    elif what == "add" and isinstance(parent, dict):
        parent[str(junk)[:9]] = junk
    else:
        parent[place[-1]] = junk
    said = complaint(study)
    assert said is None or len(said.splitlines()) >= 2, "a headline and a line for each thing that is wrong"


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "", ".", "..", "-x", "_x", "x;rm", "$(x)", "x\n", "é", "a.b"])
@pytest.mark.parametrize("section", ["datasets", "metrics", "recipes", "swav"])
def test_a_name_that_could_leave_its_folder_or_reach_a_shell_is_refused(section, name):
    study = copy.deepcopy(STUDY)
    study[section][name] = next(iter(study[section].values()))
    with pytest.raises(PipelineError, match=rf"{section}: .* is not a name; accepted: letters, digits and _"):
        parse_study(study)


@given(
    scores=st.lists(st.floats(-5, 5), min_size=4, max_size=60, unique=True),
    size=st.floats(0.2, 1),
    seed=st.integers(0, 2**32 - 2),
)
def test_another_order_of_the_examples_selects_the_same_examples(scores, size, seed):
    """Where no two scores are equal and nothing is drawn, a selection does not depend on how the examples are numbered."""
    scores, size = np.array(scores), round(size, 3)
    order = np.random.default_rng(seed).permutation(len(scores))
    labels = np.random.default_rng(seed + 1).integers(0, 3, len(scores))
    for classes in (None, labels):
        moved = None if classes is None else classes[order]
        for start in (0, round(1 - size, 3)):
            rng = np.random.default_rng(0)
            kept = select.window(select.difficulty_order(scores, rng), start, size, classes)
            again = select.window(select.difficulty_order(scores[order], rng), start, size, moved)
            assert np.array_equal(kept, np.sort(order[again]))
            assert len(kept) == select.count(size, len(scores)) == len(set(kept.tolist()))
