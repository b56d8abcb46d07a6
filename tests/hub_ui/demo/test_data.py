"""The samples and weights that ship: the hubs can serve all of them, and they are like what real hubs answer."""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.claims.card import split_card
from hub_ui.demo.hubs.civitai_store import CivitaiStore, image_level, load_civitai, model_in_list
from hub_ui.demo.hubs.folder import PACKAGE, SAMPLES, DataFolder, Json, Origins
from hub_ui.demo.hubs.huggingface_store import HuggingFaceStore, load_huggingface
from hub_ui.demo.hubs.replicate_store import ReplicateStore, load_replicate
from tests.corpus import RESPONSES, absence

ORIGINS = Origins(huggingface="http://hf", civitai="http://civitai", replicate="http://rep", delivery="http://cdn")
WEIGHTS = PACKAGE / "data" / "weights"
TINY = "hub-ui/tiny-shapes"


@pytest.fixture(scope="module")
def data() -> DataFolder:
    return DataFolder(path=SAMPLES, origins=ORIGINS, today=date(2026, 9, 1))


@pytest.fixture(scope="module")
def civitai(data: DataFolder) -> CivitaiStore:
    return load_civitai(data)


@pytest.fixture(scope="module")
def huggingface(data: DataFolder) -> HuggingFaceStore:
    return load_huggingface(data)


@pytest.fixture(scope="module")
def replicate(data: DataFolder) -> ReplicateStore:
    return load_replicate(data)


@pytest.fixture(scope="module")
def trained() -> list[Json]:
    """The LoRAs for the tiny base model, as their training describes them."""
    loras: list[Json] = json.loads((WEIGHTS / "loras.json").read_bytes())["loras"]
    return loras


def packaged(data: DataFolder) -> Iterator[str]:
    """The trained files that a hub serves, earlier commits of repositories among them."""
    commits = [json.loads(path.read_bytes()) for path in SAMPLES.glob("hf_commits_*.json")]
    files = [file for history in commits for commit in history for file in commit["files"].values()]
    for file in (*data.files["civitai"].values(), *data.files["replicate"].values(), *files):
        if "package" in file:
            yield file["package"]


def keys(value: Any, path: str = "") -> Iterator[str]:
    """`.modelVersions.files.name`: the names of all fields, however deep."""
    for each in value if isinstance(value, list) else []:
        yield from keys(each, path)
    for name, each in value.items() if isinstance(value, dict) else []:
        yield f"{path}.{name}"
        yield from keys(each, f"{path}.{name}")


def answers(folder: Path, *patterns: str) -> set[str]:
    found = (json.loads(path.read_bytes()) for pattern in patterns for path in folder.glob(pattern))
    return {key for answer in found for key in keys(answer)}


def test_the_hubs_read_it_all(civitai: CivitaiStore, huggingface: HuggingFaceStore, replicate: ReplicateStore) -> None:
    assert (len(civitai.models), len(huggingface.repos), len(replicate.models)) == (26, 22, 9)


@pytest.mark.skipif(absence() is not None, reason=absence() or "")
@pytest.mark.parametrize(
    ("samples", "recordings", "others"),
    [
        (
            "civitai_model_*.json",
            ("civitai_model_*.json", "civitai_models_*.json"),
            # Of a version alone, and what CivitAI has written since its early access is paid.
            {"air", "earlyAccessDeadline", "licensingFee", "paidAccess", "uploadType", "usageControl"}
            | {"endsAt", "permanent"},
        ),
        # Of lists, and of cards: the recordings have cards as text.
        ("hf_model_*.json", ("hf_model_*.json",), {"trendingScore", "instance_prompt", "library_name", "widget"}),
        ("replicate_training_*.json", ("replicate_training*.json",), set()),
    ],
)
def test_samples_have_no_field_of_their_own(samples: str, recordings: tuple[str, ...], others: set[str]) -> None:
    unknown = answers(SAMPLES, samples) - answers(RESPONSES, *recordings)
    assert {key for key in unknown if others.isdisjoint(key.split("."))} == set()


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("hf_readme_*.md")), ids=lambda path: path.stem)
def test_a_card_begins_with_front_matter(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    _, front, _ = text.split("---\n", 2)
    assert yaml.safe_load(front) == split_card(text)[0] != {}


def test_every_table_of_tensors_is_used() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in SAMPLES.glob("*.json"))
    assert [path.name for path in (SAMPLES / "tensors").iterdir() if f'"tensors/{path.name}"' not in texts] == []


def test_exactly_the_pictures_that_are_told_of_are_there() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in SAMPLES.glob("*.json"))
    told = texts.replace("original=true/", "").split("pictures/")[1:]
    assert {path.name for path in (SAMPLES / "pictures").iterdir()} == {part.partition('"')[0] for part in told}


def test_levels_of_pictures_add_up(civitai: CivitaiStore) -> None:
    for model, version in civitai.by_version.values():
        levels = {image_level(image) for image in version["images"]}
        assert version["nsfwLevel"] == (sum(levels) or 1), version["id"]
        assert version["nsfwLevel"] & ~model.data["nsfwLevel"] == 0, version["id"]


def test_lists_of_civitai_show_no_settings_of_images(civitai: CivitaiStore) -> None:
    listed = [each for model in civitai.models.values() for each in model_in_list(model, True)["modelVersions"]]
    assert [image["id"] for each in listed for image in each["images"] if "meta" in image] == []


def test_a_model_of_civitai_names_the_bases_of_its_versions(civitai: CivitaiStore) -> None:
    for model in civitai.models.values():
        assert model.data["baseModels"] == list(dict.fromkeys(version["baseModel"] for version in model.versions))


def test_replicate_has_weights_for_every_fine_tune(replicate: ReplicateStore) -> None:
    versions = {f"{name}:{version}" for name in replicate.models for version in replicate.versions.get(name, {})}
    assert versions - set(replicate.weights) == {name for name in versions if name.startswith("clearwater/")}


def test_the_same_lora_has_one_hash_on_two_hubs(civitai: CivitaiStore, huggingface: HuggingFaceStore) -> None:
    repo = huggingface.repos["mirelune/captain-odile-illustrious"]
    (file,) = civitai.models[538214].versions[0]["files"]
    assert repo.commits[0].files["captain_odile_il.safetensors"].sha256 == file["hashes"]["SHA256"].lower()


def test_training_data_is_a_zip_of_pictures(data: DataFolder) -> None:
    spec = next(spec for spec in data.files["civitai"].values() if "zip" in spec)
    content = data.hub_file(spec).content
    with zipfile.ZipFile(io.BytesIO(content.read(0, content.size))) as packed:
        assert packed.namelist() == ["town-ember-1.webp", "town-moss-2.webp", "town-night-3.webp"]


def test_dates_count_back_from_the_day_on_which_they_are_served() -> None:
    def latest(day: date) -> str:
        folder = DataFolder(path=SAMPLES, origins=ORIGINS, today=day)
        return str(folder.json(SAMPLES / "hf_model_slowglass__quarry-light.json")["lastModified"])

    assert latest(date(2026, 9, 1)) == "2026-04-24T13:15:04.000Z"
    assert latest(date(2027, 9, 1)) == "2027-04-24T13:15:04.000Z"


def test_every_trained_file_is_offered(data: DataFolder, trained: list[Json]) -> None:
    versions = {f"data/weights/{version['file']}" for lora in trained for version in lora["versions"]}
    assert set(packaged(data)) == versions


def test_civitai_says_the_words_and_seeds_of_the_training(civitai: CivitaiStore, trained: list[Json]) -> None:
    tiny = [model for model in civitai.models.values() if "Tiny Shapes" in model.data["baseModels"]]
    by_title = {lora["title"].split(",")[0].split(" the ")[0]: lora for lora in trained}
    assert len(tiny) == 4
    for model in tiny:
        lora, newest = by_title[model.data["name"].split(",")[0]], model.versions[0]
        shots = {Path(shot["file"]).name: (shot["prompt"], shot["seed"]) for shot in lora["pictures"]}
        images = {image["url"].rpartition("/")[2]: image["meta"] for image in newest["images"]}
        assert newest["trainedWords"] == lora["trigger_words"]
        assert {name: (meta["prompt"], meta["seed"]) for name, meta in images.items()} == shots


def test_cards_have_the_words_of_training(data: DataFolder, huggingface: HuggingFaceStore, trained: list[Json]) -> None:
    words = {f"data/weights/{lora['file']}": ", ".join(lora["trigger_words"]) for lora in trained}
    tiny = [repo for repo in huggingface.repos.values() if repo.info["cardData"].get("base_model") == TINY]
    assert len(tiny) == 4
    for repo in tiny:
        (package,) = (file["package"] for file in data.files["huggingface"][repo.id].values() if "package" in file)
        assert repo.info["cardData"]["instance_prompt"] == words[package]


def test_what_can_be_tried_leads_every_hub_by_downloads(
    civitai: CivitaiStore, huggingface: HuggingFaceStore, replicate: ReplicateStore
) -> None:
    models = sorted(civitai.models.values(), key=lambda model: -(model.data["stats"]["downloadCount"] or 0))
    repos = sorted(huggingface.repos.values(), key=lambda repo: -(repo.info["downloads"] or 0))
    tuned = sorted(replicate.models.values(), key=lambda model: -model["run_count"])
    assert all(model.data["baseModels"] == ["Tiny Shapes"] for model in models[:3])
    assert all(repo.info["cardData"]["base_model"] == TINY for repo in repos[:3])
    assert {model["default_example"]["input"]["model"] for model in tuned[:3]} == {"tiny-shapes"}
