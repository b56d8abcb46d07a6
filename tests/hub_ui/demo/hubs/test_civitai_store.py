from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub_ui.demo.hubs.civitai_store import CivitaiStore, Model, image_level, is_paid, load_civitai, relevance
from hub_ui.demo.hubs.folder import DataFolder, Origins

ORIGINS = Origins(huggingface="http://h", civitai="http://c", replicate="http://r", delivery="http://d")


def load(path: Path, **files: Any) -> CivitaiStore:
    for name, data in files.items():
        (path / f"{name}.json").write_text(json.dumps(data))
    return load_civitai(DataFolder(path=path, origins=ORIGINS))


def test_a_ghost_is_only_listed(tmp_path: Path) -> None:
    models: dict[str, Any] = {
        f"civitai_model_{number}": {"id": number, "name": "x", "modelVersions": []} for number in (1, 2)
    }
    store = load(tmp_path, **models, deleted={"ghosts": {"civitai": [1]}})
    assert {number: model.is_open for number, model in store.models.items()} == {1: False, 2: True}


def test_a_model_is_a_sample_when_the_hub_has_its_bytes(tmp_path: Path) -> None:
    models = {
        f"civitai_model_{n}": {"id": n, "name": "x", "modelVersions": [{"id": n, "files": [{"id": n}]}]} for n in (1, 2)
    }
    store = load(tmp_path, **models, files={"civitai": {"1": {"text": "bytes"}}})
    assert [store.models[number].is_sample for number in (1, 2)] == [True, False]


def test_a_hash_that_two_versions_share_finds_the_oldest(tmp_path: Path) -> None:
    files = [{"id": 1, "hashes": {"SHA256": "ab"}}]
    versions = [{"id": n, "publishedAt": f"202{n}-01-01", "files": files} for n in (5, 4)]
    store = load(tmp_path, civitai_model_1={"id": 1, "name": "x", "modelVersions": versions})
    assert store.by_hash["AB"][1]["id"] == 4


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"nsfwLevel": 4}, 4),
        ({"nsfw": "None"}, 1),
        ({"nsfw": "Soft"}, 2),
        ({"nsfw": "X"}, 8),
        ({"nsfw": False}, 1),
        ({"nsfw": True}, 8),
        ({}, 1),
        ({"nsfw": "None", "nsfwLevel": 2}, 2),
    ],
)
def test_a_level_is_read_from_every_shape_of_the_years(image: dict[str, Any], expected: int) -> None:
    assert image_level(image) == expected


NOW = datetime(2026, 8, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("paid", "expected"),
    [
        (None, False),
        ({"permanent": True, "endsAt": None}, True),
        ({"permanent": False, "endsAt": "2026-08-11T00:00:00.000Z"}, True),
        ({"permanent": False, "endsAt": "2026-08-09T00:00:00.000Z"}, False),
        ({"permanent": False, "endsAt": None}, False),
    ],
)
def test_a_version_is_paid_for_ever_or_until_a_date(paid: object, expected: bool) -> None:
    assert is_paid({"paidAccess": paid}, NOW) is expected


def test_a_word_in_the_name_counts_more_than_one_in_a_tag_and_all_words_count() -> None:
    named, tagged = Model(id=1, data={"name": "Red"}), Model(id=2, data={"name": "Blue", "tags": ["red"]})
    assert relevance(named, ["red"]) > relevance(tagged, ["red"]) > 0
    assert relevance(named, ["red", "blue"]) == 0
