import json
from pathlib import Path
from typing import Any

from hub_ui.demo.hubs.endpoints import Origins
from hub_ui.demo.hubs.folder import DataFolder
from hub_ui.demo.hubs.replicate_store import ReplicateStore, load_replicate

ORIGINS = Origins(huggingface="http://h", civitai="http://c", replicate="http://r", delivery="http://d")


def load(path: Path, **files: Any) -> ReplicateStore:
    for name, data in files.items():
        (path / f"{name}.json").write_text(json.dumps(data))
    return load_replicate(DataFolder(path=path, origins=ORIGINS))


def model(version: str, **more: Any) -> dict[str, Any]:
    return {"owner": "o", "name": "n", "latest_version": {"id": version, "created_at": version}, **more}


def test_the_last_recording_of_a_model_counts_and_all_its_versions_are_kept(tmp_path: Path) -> None:
    store = load(tmp_path, replicate_model_o__n_2024=model("1"), replicate_model_o__n_2025=model("2"))
    assert store.models["o/n"]["latest_version"]["id"] == "2"
    assert sorted(store.versions["o/n"]) == ["1", "2"]


def test_a_recording_of_one_model_replaces_what_a_list_says(tmp_path: Path) -> None:
    page = {"results": [model("1", description="listed"), {**model("9"), "name": "other"}]}
    store = load(tmp_path, replicate_models_list_page=page, replicate_model_a=model("1", description="alone"))
    assert {name: each.get("description") for name, each in store.models.items()} == {"o/n": "alone", "o/other": None}


def test_what_is_no_model_is_ignored(tmp_path: Path) -> None:
    assert load(tmp_path, replicate_model_x={"detail": "not found"}).models == {}


def test_a_version_belongs_to_the_model_that_ran_it_or_says_so(tmp_path: Path) -> None:
    store = load(
        tmp_path,
        replicate_model_a=model("1"),
        replicate_version_a={"id": "2"},
        replicate_version_b={"id": "3", "model": "o/n"},
        replicate_version_c={"id": "4"},
        replicate_prediction_a={"id": "p", "model": "o/n", "version": "2"},
    )
    assert sorted(store.versions["o/n"]) == ["1", "2", "3"]
    assert sorted(store.loose_versions) == ["4"]


def test_of_several_recordings_of_a_run_the_furthest_counts(tmp_path: Path) -> None:
    runs = {f"replicate_prediction_p_{status}": {"id": "p", "status": status} for status in ("canceled", "starting")}
    assert load(tmp_path, **runs).predictions["p"]["status"] == "canceled"
