import json
from typing import Any

import pytest

from connectors.civitai import parse
from connectors.civitai.parse import lora_availability, lora_params, version_availability
from connectors.claims.resolve import flatten
from tests.connectors.building import (
    NOW,
    SHA,
    civitai_alone,
    civitai_file,
    civitai_image,
    civitai_model,
    civitai_version,
    file_of,
    of_civitai,
    of_version,
)
from tests.connectors.cases import named, read_cases

READ = read_cases(__file__)


def test_a_model_becomes_a_complete_record() -> None:
    record = flatten(of_civitai()).to_json()
    assert record["ref"] == "civitai:4128@41280#9001"
    assert (record["base_model"], record["architecture"]) == ("flux.1-dev", "flux1")
    assert (record["raw_base_model"], record["kind"]) == ("Flux.1 D", "style")
    assert record["trigger_words"] == ["sltmrsh gouache"]
    assert (record["creator"], record["downloads"], record["likes"]) == ("saltmarsh", 120, 12)
    assert record["updated_at"] == "2026-08-01T10:00:00Z"
    assert record["file"] == {
        "name": "saltmarsh.safetensors",
        "size": 18944,
        "sha256": SHA.lower(),
        "format": "safetensors",
    }


def test_a_claim_says_where_in_the_answer_it_was_read() -> None:
    lora = of_civitai(modelVersions=[civitai_version(id=1), civitai_version(id=2)])
    claims = {claim.field: claim.where for claim in lora.versions[1].claims}
    assert claims["trigger_words"] == "modelVersions[1].trainedWords"
    assert claims["base_model"] == "modelVersions[1].baseModel"


@pytest.mark.parametrize("kind", ["Checkpoint", "TextualInversion", None, 7])
def test_what_is_no_lora_is_none(kind: object) -> None:
    assert parse.lora(civitai_model(type=kind), "https://civitai.com", NOW) is None


@pytest.mark.parametrize("number", [None, "x", -1, True, [], 1e400])
def test_a_model_without_a_number_is_none(number: object) -> None:
    assert parse.lora(civitai_model(id=number), "https://civitai.com", NOW) is None


@pytest.mark.parametrize(("fields", "version", "said"), named(READ["a model becomes what it and its version say"]))
def test_a_model_becomes_what_it_and_its_version_say(
    fields: dict[str, Any], version: dict[str, Any], said: dict[str, Any]
) -> None:
    makers = {"files": civitai_file, "images": civitai_image}
    lists = {name: [makers[name](**each) for each in version[name]] for name in makers.keys() & version.keys()}
    record = flatten(of_civitai(**fields, modelVersions=[civitai_version(**{**version, **lists})])).to_json()
    assert {key: record[key] for key in said} == said


@pytest.mark.parametrize(
    ("mode", "access", "where"),
    [("Archived", "archived", ["mode"]), ("TakenDown", "removed", ["mode"]), (None, "open", [])],
)
def test_the_mode_is_the_access(mode: str | None, access: str, where: list[str]) -> None:
    lora = of_civitai(mode=mode)
    assert flatten(lora).access == access
    assert [claim.where for claim in lora.claims if claim.field == "access"] == where


def test_access_and_level_are_claims_too() -> None:
    lora = of_civitai(nsfwLevel=7, modelVersions=[civitai_version(usageControl="Generation")])
    assert [(c.value, c.where) for c in lora.claims if c.field == "nsfw"] == [("mature", "nsfwLevel")]
    said = [(c.value, c.where) for c in lora.versions[0].claims if c.field == "access"]
    assert said == [("generation-only", "modelVersions[0].usageControl")]


def test_the_weight_is_the_one_the_pictures_were_made_with() -> None:
    images = [civitai_image(meta={"prompt": "fox <lora:saltmarsh:0.6> <lora:other:1>"})]
    record = of_version(images=images)
    weights = [(claim.value, claim.source) for claim in record.claims if claim.field == "weight"]
    assert (record.weight, weights) == (0.6, [(0.6, "example")])


def test_a_versions_own_answer_completes_the_listed_one() -> None:
    image = civitai_image(meta={"prompt": "a pier"})
    alone = civitai_alone(images=[image], usageControl="Generation", trainedWords=[])
    merged = parse.with_version(civitai_model(), alone)
    lora = parse.lora(merged, "https://civitai.com", NOW)
    assert lora is not None
    record = flatten(lora)
    assert (record.images[0].prompt, record.access) == ("a pier", "generation-only")
    assert record.trigger_words == ("sltmrsh gouache",)


def test_merging_keeps_what_only_the_list_says_of_a_file() -> None:
    listed = civitai_version(files=[civitai_file(overrideName="own.safetensors")])
    merged = parse.with_version(civitai_model(modelVersions=[listed]), civitai_alone())
    assert merged["modelVersions"][0]["files"][0]["overrideName"] == "own.safetensors"


def test_a_version_missing_from_a_stale_list_is_added() -> None:
    merged = parse.with_version(civitai_model(), civitai_alone(id=5))
    assert [version["id"] for version in merged["modelVersions"]] == [41280, 5]


def test_resources_give_hashes_and_weights() -> None:
    resources = [
        {"hash": "1861fe1b6fd4", "name": "penink", "type": "lora", "weight": 0.8},
        {"hash": "5a1c2b4a08", "name": "meinaunreal", "type": "model"},
        {"hash": "not a hash", "name": "b,ad:name", "type": "LoCon", "weight": -1},
    ]
    assert lora_params({"resources": resources}) == {
        "Lora hashes": "penink: 1861fe1b6fd4",
        "Lora weights": "penink: 0.8, b_ad_name: -1",
    }


def test_a_graphs_loras_have_a_strength() -> None:
    listed = [{"name": "aesthetic.safetensors", "type": "lora", "strength": 1, "strengthClip": 1}]
    assert lora_params({"additionalResources": listed}) == {"Lora weights": "aesthetic: 1"}


def test_hashes_alone_name_loras() -> None:
    hashes = {"model": "5a1c2b4a08", "lora:penink": "1861fe1b6fd4", "LORA:add_detail": "7c6bad76eb54"}
    assert lora_params({"hashes": hashes}) == {"Lora hashes": "penink: 1861fe1b6fd4, add_detail: 7c6bad76eb54"}


def test_the_hubs_own_list_names_versions() -> None:
    listed = [{"type": "lora", "weight": 0.7, "modelVersionId": 2001}, {"type": "checkpoint", "modelVersionId": 7}]
    found = lora_params({"civitaiResources": listed})
    assert json.loads(found["Civitai resources"]) == [{"type": "lora", "weight": 0.7, "modelVersionId": 2001}]


@pytest.mark.parametrize(
    "meta", [{}, {"resources": 7}, {"resources": [7, {}]}, {"hashes": []}, {"civitaiResources": [{"type": "lora"}]}]
)
def test_other_shapes_say_nothing(meta: dict[str, Any]) -> None:
    assert lora_params(meta) == {}


def test_a_file_has_the_hashes_of_its_bytes_and_of_its_tensors() -> None:
    file = file_of(of_version(files=[civitai_file(hashes={"SHA256": "AB" * 32, "AutoV3": "C0FFEEC0FFEE"})]))
    assert (file.sha256, file.autov3) == ("ab" * 32, "c0ffeec0ffee")


@pytest.mark.parametrize("side", [0, -1, "a", 10**9, None])
def test_an_image_has_its_size_if_the_hub_says_a_sensible_one(side: object) -> None:
    image = of_version(images=[civitai_image(width=832, height=side)]).images[0]
    assert (image.width, image.height) == (832, None)


def scan(**fields: object) -> list[list[object]]:
    version = civitai_version(files=[civitai_file(**fields)])
    [file] = of_civitai(modelVersions=[version]).versions[0].files
    return [[claim.value, claim.where] for claim in file.claims if claim.field == "scan"]


@pytest.mark.parametrize(("fields", "claims"), READ["the worse of two scans counts"])
def test_the_worse_of_two_scans_counts(fields: dict[str, object], claims: list[list[object]]) -> None:
    assert scan(**fields) == claims


def test_a_real_person_is_a_character() -> None:
    said = [[c.where for c in of_civitai(poi=poi).claims if c.field == "kind"] for poi in (True, "yes", None)]
    assert [("poi" in places) for places in said] == [True, True, False]


@pytest.mark.parametrize("name", ["minor", "sfwOnly", "poi"])
@pytest.mark.parametrize(("value", "expected"), READ["a mark fails closed and is unknown where it is absent"])
def test_a_mark_fails_closed_and_is_unknown_where_it_is_absent(name: str, value: object, expected: list[bool]) -> None:
    claims = of_civitai(**{name: value}).claims
    assert [claim.value for claim in claims if claim.where == name and claim.source == "hub"] == expected


@pytest.mark.parametrize("place", ["minor", "model"])
def test_a_mark_of_a_version_outweighs_its_models_denial(place: str) -> None:
    version = civitai_version(**{place: True if place == "minor" else {"minor": "true"}})
    lora = of_civitai(nsfwLevel=8, minor=False, modelVersions=[version])
    where = f"modelVersions[0].{'minor' if place == 'minor' else 'model.minor'}"
    assert (lora.is_withheld, [claim.where for claim in lora.claims]) == (True, [where])


@pytest.mark.parametrize(("version", "access"), READ["access has had many forms"])
def test_access_has_had_many_forms(version: dict[str, Any], access: str) -> None:
    assert version_availability(version, NOW).access == access


@pytest.mark.parametrize(("until", "note"), READ["a note gives the time left"])
def test_a_note_gives_the_time_left(until: str, note: str) -> None:
    availability = version_availability({"paidAccess": {"permanent": False, "endsAt": until}}, NOW)
    assert (availability.access, availability.note) == ("paid", note)


@pytest.mark.parametrize(("version", "where"), READ["a claim names the field that says it"])
def test_a_claim_names_the_field_that_says_it(version: dict[str, Any], where: str) -> None:
    availability = version_availability(version, NOW)
    assert [(c.value, c.where) for c in availability.claims("v.")] == [(availability.access, where)]


def test_what_nothing_says_is_no_claim() -> None:
    assert version_availability({}, NOW).claims() == lora_availability({}).claims() == ()


def test_a_mode_that_nobody_has_listed_is_told_as_it_is_written() -> None:
    unknown = lora_availability({"mode": "Quarantined"})
    note = "CivitAI gives its state as “Quarantined”, so it can't be downloaded."
    assert (unknown.access, unknown.note) == ("archived", note)
