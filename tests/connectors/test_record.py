from dataclasses import replace

import pytest

from connectors.claims.resolve import flatten
from connectors.record import NSFW_LEVELS, Claim, Lora, Nsfw, Version, WeightFile, distinct, highest, within
from connectors.ref import Ref
from tests.connectors.building import of_civitai
from tests.connectors.cases import read_cases

READ = read_cases(__file__)

KEYS = [
    *("ref", "hub", "title", "creator", "url", "base_model", "architecture", "raw_base_model", "kind", "trigger_words"),
    *("rank", "alpha", "algorithm", "file", "license", "nsfw", "downloads", "likes", "updated_at", "images", "access"),
    *("claims", "conflicts", "conflict_sentences", "alternatives", "weight", "weight_range", "homes", "permissions"),
]
REF = Ref.parse("civitai:1@2")


def _file(name: str, *, primary: bool = False) -> WeightFile:
    form = "safetensors" if name.endswith(".safetensors") else "pickle"
    return WeightFile(ref=REF.at("2", "3"), name=name, format=form, primary=primary)  # type: ignore[arg-type]


def test_a_record_has_the_contracts_keys_in_their_order() -> None:
    assert list(flatten(of_civitai()).to_json()) == KEYS


def test_a_record_says_what_its_licence_permits() -> None:
    terms = Claim(field="license", value="images may be sold, not for sale, merges allowed", source="hub", where="x")
    lora = Lora(ref=Ref.parse("civitai:1"), title="x", url="https://example.org", claims=(terms,))
    assert flatten(lora).to_json()["permissions"] == {
        "sell_images": True,
        "run_as_service": None,
        "sell": False,
        "merge": True,
        "no_credit": None,
    }


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        ([_file("a.ckpt"), _file("b.safetensors")], "b.safetensors"),
        ([_file("a.safetensors"), _file("b.safetensors", primary=True)], "b.safetensors"),
        ([_file("a.ckpt", primary=True), _file("b.safetensors")], "b.safetensors"),
        ([_file("a.ckpt")], "a.ckpt"),
    ],
)
def test_the_file_meant_by_a_person_who_names_none(files: list[WeightFile], chosen: str) -> None:
    file = Version(ref=REF, name="v", files=tuple(files)).file
    assert file is not None
    assert file.name == chosen


def test_the_first_version_is_the_default() -> None:
    lora = of_civitai()
    assert lora.version(None) is lora.versions[0]
    assert lora.version("41280") is lora.versions[0]
    assert lora.version("7") is None


@pytest.mark.parametrize(("level", "ceiling", "shown"), READ["a level fits under a ceiling or not"])
def test_a_level_fits_under_a_ceiling_or_not(level: Nsfw | None, ceiling: Nsfw, shown: bool) -> None:
    assert within(level, ceiling) is shown


def test_the_strongest_level_counts() -> None:
    assert highest(NSFW_LEVELS) == "explicit"
    assert highest([]) is None
    assert highest(["safe", None]) is None
    assert highest(["soft", None]) == "soft"


def test_a_claim_made_in_several_places_stands_once_with_all_of_them() -> None:
    said = [
        Claim(field="base_model", value="pony", source="tag", where="tags: base_model:x/pony"),
        Claim(field="base_model", value="pony", source="card", where="card front matter: base_model"),
        Claim(field="base_model", value="pony", source="tag", where="baseModels"),
        Claim(field="base_model", value="pony", source="header", where="metadata: ss_sd_model_name"),
        Claim(field="base_model", value="sdxl-1.0", source="tag", where="tags: sdxl"),
    ]
    assert [(claim.source, claim.value, claim.where) for claim in distinct(said)] == [
        ("card", "pony", "card front matter: base_model; tags: base_model:x/pony; baseModels"),
        ("header", "pony", "metadata: ss_sd_model_name"),
        ("tag", "sdxl-1.0", "tags: sdxl"),
    ]


@pytest.mark.parametrize(
    ("weight", "ends", "words"), [(None, None, ""), (0.8, None, "0.8"), (0.6, (0.6, 0.8), "0.6 to 0.8")]
)
def test_a_weight_is_told_with_its_range(weight: float | None, ends: tuple[float, float] | None, words: str) -> None:
    record = replace(flatten(of_civitai()), weight=weight, weight_range=ends)
    assert record.weight_text == words
    assert record.to_json()["weight_range"] == (list(ends) if ends else None)
