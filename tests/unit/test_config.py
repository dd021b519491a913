"""The study: what is accepted, and what it then says."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from pipeline_lib.config import Recipe, Study, parse_study, plain, schema_text
from pipeline_lib.errors import PipelineError
from tests.unit.studies import STUDY, changed

PROJECT = Path(__file__).parents[2]


def test_the_study_gives_defaults_variants_and_ensembles():
    study = parse_study(changed("metrics.early", {"function": "el2n", "epoch": 2}))
    assert study.metric_function("early") == "el2n"
    assert study.metric_parameters("early") == {"epoch": 2}
    assert study.metric_parameters("el2n") == {"epoch": "last"}
    assert study.metric_parameters("km") == {"features": "prototypes", "k": 3}
    assert (study.ensemble_of("digits").epochs, study.ensemble_of("noisy").epochs) == (6, 4)


def test_an_experiment_sweeps_its_metrics_but_no_baseline():
    study = parse_study(STUDY)
    assert study.swept_metrics("digits", "sliding_window") == ["el2n"]
    assert study.swept_metrics("digits", "prune_easiest") == ["el2n", "km"], "all, but the random one"


def test_the_clusters_experiment_brings_its_metrics_along():
    study = parse_study(STUDY)
    names = study.swept_metrics("digits", "clusters")
    assert names == ["km_backbone_5", "km_backbone_classes"]
    assert all(study.has_metric(name) for name in names)
    assert {study.metric_function(name) for name in names} == {"km"}
    parameters = [study.metric_parameters(name) for name in [*names, "km_prototypes_elbow"]]
    assert parameters == [{"features": f, "k": k} for f, k in (("backbone", 5), ("backbone", "classes"), ("prototypes", "elbow"))]


@pytest.mark.parametrize("name", ["km_5", "km_raw_5", "km_backbone_", "km_backbone_5_", "el2n_backbone_5", "std"])
def test_a_name_that_only_looks_like_a_cluster_metric_is_none(name):
    assert not parse_study(STUDY).has_metric(name)


def test_a_data_set_changes_single_keys_of_the_experiments():
    study = parse_study(STUDY)
    digits, local = study.experiments_of("digits"), study.experiments_of("local")
    assert local == study.experiments
    assert (digits.sliding_window.starts, local.sliding_window.starts) == ([0.6], [0, 0.6])
    assert (digits.sliding_window.size, digits.sliding_window.metrics) == (0.4, ["el2n"]), "the study's, not the defaults"
    assert (digits.label_noise.noisy, local.label_noise.noisy) == ("noisy", None)
    untouched = [name for name in type(digits).model_fields if name not in ("sliding_window", "label_noise")]
    assert all(getattr(digits, name) == getattr(study.experiments, name) for name in untouched)


def test_a_data_set_can_change_experiments_that_the_study_leaves_at_their_defaults():
    study = changed("datasets.digits.experiments", {"prune_fixed": {"share": 0.25}})
    del study["experiments"]
    assert parse_study(study).experiments_of("digits").prune_fixed.share == 0.25
    assert parse_study(study).experiments_of("local").prune_fixed.share == 0.5


def test_the_share_that_the_cutoff_prunes_may_be_all_that_is_pruned():
    assert parse_study(changed("experiments.prune_stratified.shares", [0.2])).experiments.prune_stratified.shares == [0.2]


def test_a_number_that_yaml_takes_for_text_is_a_number():
    assert yaml.safe_load("1e-3") == "1e-3"
    assert parse_study(changed("recipes.small.optimiser.lr", "1e-3")).recipes["small"].optimiser.lr == 0.001


def test_sections_survive_the_way_through_plain_values():
    study = parse_study(STUDY)
    assert Study.model_validate(plain(study)) == study
    assert Recipe.model_validate(plain(study.recipes["small"])) == study.recipes["small"]


def test_the_shipped_config_is_valid():
    assert "digits" in parse_study(yaml.safe_load((PROJECT / "config.yaml").read_text())).datasets


def test_the_schema_file_is_the_one_of_the_code():
    assert (PROJECT / "workflow/schemas/config.schema.yaml").read_text() == schema_text()


def test_the_schema_accepts_the_shipped_config_and_refuses_an_unknown_key():
    schema = yaml.safe_load(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    shipped = yaml.safe_load((PROJECT / "config.yaml").read_text())
    assert [error.message for error in validator.iter_errors(shipped)] == []
    assert not validator.is_valid(shipped | {"sed": 1})
    assert not validator.is_valid(STUDY | {"metrics": {"el2n": 3}})


def test_without_features_a_data_set_goes_without_what_is_made_from_them():
    made = changed("datasets.digits.swav", None)
    made["experiments"]["sliding_window"] = {"metrics": ["el2n", "km"]}
    made["datasets"]["digits"]["experiments"] = {}
    study = parse_study(made)
    assert "km" in study.metrics
    assert "km" not in study.metrics_of("digits")
    assert study.swept_metrics("digits", "sliding_window") == ["el2n"]
    assert "clusters" not in study.swept("digits")
    assert study.swept_metrics("noisy", "sliding_window") == ["el2n", "km"], "which has features"
    made["datasets"]["digits"]["experiments"] = {"sliding_window": {"metrics": ["km"]}}
    with pytest.raises(PipelineError, match=r"digits\.experiments\.sliding_window\.metrics: km needs features, .*`swav: null`"):
        parse_study(made)


def test_a_path_may_begin_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert parse_study(changed("datasets.photos.train", "~/flowers")).datasets["photos"].train == "/home/me/flowers"


def test_scores_are_tested_on_the_wrong_labels_of_the_twin_or_on_their_own():
    study = parse_study(STUDY)
    assert study.wrong_labels_of("digits") == "noisy"
    assert study.wrong_labels_of("noisy") == "noisy"
    assert study.wrong_labels_of("photos") is None
    fewer = changed("datasets.fewer", {"base": "noisy", "imbalance": {"ratio": 3}})
    assert parse_study(fewer).wrong_labels_of("fewer") == "fewer", "the base's wrong labels come along"
    assert parse_study(STUDY).wrong_labels_of("local") is None
    assert parse_study(changed("datasets.local.true_labels", True)).wrong_labels_of("local") == "local"
