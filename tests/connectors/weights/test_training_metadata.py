import json

import pytest

from connectors.claims.base_models import BASE_MODELS, by_id
from connectors.weights import training_metadata
from connectors.weights.training_metadata import base_of
from tests.connectors.cases import read_cases
from tests.connectors.claims.base_names import base_names

READ = read_cases(__file__)

Said = dict[str, str]


def dumped(**tables: object) -> Said:
    """As trainers write them: what is no text as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in tables.items()}


@pytest.mark.timeout(30)
def test_an_endless_name_of_a_checkpoint_does_not_hang() -> None:
    endless = "flux " * 1_900_000
    assert list(training_metadata.base_models({"ss_sd_model_name": endless, "base_model": endless})) == []


@pytest.mark.parametrize(("key", "value", "base"), READ["every trainer has its word for a base model"])
def test_every_trainer_has_its_word_for_a_base_model(key: str, value: str, base: str) -> None:
    assert list(training_metadata.base_models({key: value})) == [(base, f"metadata: {key} = {value}")]


@pytest.mark.parametrize("value", ["", " ", "None", "null", "unknown", "something new", "x" * 100_000, "\ud800"])
@pytest.mark.parametrize("key", ["ss_base_model_version", "modelspec.architecture", "base_model", "ss_sd_model_name"])
def test_a_word_that_nobody_knows_names_no_base_model(key: str, value: str) -> None:
    assert list(training_metadata.base_models({key: value})) == []


@pytest.mark.parametrize(("checkpoint", "base"), base_names("checkpoint"))
def test_a_lineage_is_known_by_the_checkpoint_that_was_trained_on(checkpoint: str, base: str | None) -> None:
    said = training_metadata.base_models({"ss_sd_model_name": checkpoint})
    assert next(said, None) == (None if base is None else (base, f"metadata: ss_sd_model_name = {checkpoint}"))


@pytest.mark.parametrize("field", ["ss_versions", "modelspecs", "simpletuner"])
def test_a_word_of_a_trainer_leads_to_one_base_model(field: str) -> None:
    words = [word for model in BASE_MODELS for word in getattr(model, field)]
    assert len(words) == len(set(words)) > 20


@pytest.mark.parametrize(("architecture", "base"), [("sdxl", "pony"), ("sd1", "sd-1.5"), ("flux1", None), (None, None)])
def test_a_base_model_counts_on_the_architecture_of_the_tensors_alone(architecture: str, base: str | None) -> None:
    metadata = {"ss_sd_model_name": "290640.safetensors", "ss_base_model_version": "sd_1.5"}
    found = training_metadata.base_model(metadata, architecture)
    assert (found[0] if found else None) == base


@pytest.mark.parametrize(
    ("metadata", "architecture", "where"), READ["metadata contradicts where it names the right network nowhere"]
)
def test_metadata_contradicts_where_it_names_the_right_network_nowhere(
    metadata: Said, architecture: str, where: str | None
) -> None:
    assert training_metadata.contradiction(metadata, architecture) == where


def test_metadata_picks_only_among_what_the_tensors_leave() -> None:
    said = {"ss_base_model_version": "chroma"}
    assert training_metadata.find_architecture(said, ("flux1", "chroma")) == (
        "chroma",
        "metadata: ss_base_model_version = chroma",
    )
    assert training_metadata.find_architecture(said, ("sd1", "sd2")) is None
    assert training_metadata.find_architecture({}, ("flux1", "chroma")) is None


@pytest.mark.parametrize(
    ("base", "where", "telling"), READ["a word that a script writes for all files tells nothing of one"]
)
def test_a_word_that_a_script_writes_for_all_files_tells_nothing_of_one(base: str, where: str, telling: bool) -> None:
    assert training_metadata.is_specific(base, where) is telling


ORDER = READ["from the most to the least believed with the words it holds"]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_the_authors_own_field_is_believed_before_a_folder(first: int) -> None:
    key, _, words = ORDER[first]
    found = training_metadata.words(dumped(**{key: value for key, value, _ in reversed(ORDER[first:])}))
    assert found is not None
    assert ([*found[0]], found[1].startswith(f"metadata: {key}")) == (words, True)


@pytest.mark.parametrize(("metadata", "words"), READ["words are what was meant as words"])
def test_words_are_what_was_meant_as_words(metadata: dict[str, object], words: list[str] | None) -> None:
    found = training_metadata.words(dumped(**metadata))
    assert (found and [*found[0]]) == words


def test_tags_are_counted_over_all_folders() -> None:
    metadata = dumped(ss_tag_frequency={"1_a": {"hat": 2, "coat ": 3, "": 9}, "2_b": {"hat": 5, "x": -1, "y": "z"}})
    assert training_metadata.tags(metadata) == ("hat", "coat")


def test_tags_have_an_end() -> None:
    found = training_metadata.tags(dumped(ss_tag_frequency={"1_a": {f"{i}" * 200: 500 - i for i in range(500)}}))
    assert (len(found), max(map(len, found))) == (30, 80)


@pytest.mark.parametrize(("metadata", "alpha"), READ["alpha is read where trainers write it"])
def test_alpha_is_read_where_trainers_write_it(metadata: dict[str, object], alpha: list[object] | None) -> None:
    found = training_metadata.alpha(dumped(**metadata))
    assert (found and [*found]) == alpha


@pytest.mark.parametrize(
    ("said", "weight"), [("0.8", 0.8), ("-1", -1.0), ("0", None), ("100", None), ("nan", None), ("high", None)]
)
def test_a_recommended_weight_is_a_sensible_number(said: str, weight: float | None) -> None:
    assert training_metadata.default_weight({"modelspec.lora_default_weight": said}) == weight


JSON_KEYS = ("ss_tag_frequency", "ss_dataset_dirs", "ss_network_args", "lora_adapter_metadata", "trainedWords")
HOSTILE = {
    "deep": "[" * 200_000,
    "deep tables": '{"a":' * 50_000,
    "long number": "1" * 10_000,
    "huge": '{"1_a":{"' + "x" * 5_000_000 + '":1}}',
    "list": "[1, [2], null]",
    "text": '"x"',
    "wrong counts": '{"1_a b": {"t": [1], "u": null, "v": true, "w": NaN, "x": 1e999, "y": {"z": 1}}, "2_b": 5}',
    "half characters": '{"1_\\ud800": {"\\udfff": 2}, "\\ud800.lora_alpha": 4}',
    "many": json.dumps({f"{i}_": {f"{i}": i} for i in range(50_000)}),
    "line ends": '{"1_\\n\\n": {"\\n": 1}}',
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_metadata_is_read_as_far_as_it_goes(name: str) -> None:
    metadata = {**dict.fromkeys(JSON_KEYS, HOSTILE[name]), "modelspec.usage_hint": f"trigger {HOSTILE[name]}"}
    training_metadata.words(metadata), training_metadata.tags(metadata), training_metadata.alpha(metadata)
    (
        training_metadata.json_object(metadata, "ss_network_args"),
        training_metadata.peft_divisor(metadata, None),
        training_metadata.default_weight(metadata),
    )


@pytest.mark.parametrize(("written", "base", "architecture"), READ["a version is of a base model and its architecture"])
def test_a_version_is_of_a_base_model_and_its_architecture(written: str, base: str, architecture: str) -> None:
    found = by_id(base_of("ss_base_model_version", written) or "")
    assert found is not None
    assert (found.id, found.architecture) == (base, architecture)


@pytest.mark.parametrize(("written", "base"), READ["a modelspec names a base model and what was trained"])
def test_a_modelspec_names_a_base_model_and_what_was_trained(written: str, base: str) -> None:
    assert base_of("modelspec.architecture", written) == base


@pytest.mark.parametrize("written", ["lora", "unknown/lora", "fluxion/lora", "sdxlish-base/lora", ""])
def test_a_modelspec_that_nobody_writes_names_nothing(written: str) -> None:
    assert base_of("modelspec.architecture", written) is None
