import hashlib
import io
import json
import time
import zipfile
from datetime import date
from pathlib import Path

import pytest

from hub_ui.demo.build.samples import write_samples
from hub_ui.demo.build.samples.sample import Json
from hub_ui.demo.hubs.civitai_store import load_civitai
from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.folder import SAMPLES, DataFolder, Origins
from hub_ui.demo.hubs.huggingface_store import HuggingFaceStore, load_huggingface
from hub_ui.demo.hubs.replicate_store import load_replicate

ORIGINS = Origins(huggingface="http://hf", civitai="http://civitai", replicate="http://rep", delivery="http://cdn")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_samples(folder, weights=folder)
    return folder


@pytest.fixture(scope="module")
def data(written: Path) -> DataFolder:
    return DataFolder(path=written, origins=ORIGINS)


@pytest.fixture(scope="module")
def huggingface(data: DataFolder) -> HuggingFaceStore:
    return load_huggingface(data)


def read(folder: Path, name: str) -> Json:
    found: Json = json.loads((folder / name).read_text(encoding="utf-8"))
    return found


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_takes_less_than_three_seconds(tmp_path: Path) -> None:
    begun = time.process_time()
    write_samples(tmp_path)
    assert time.process_time() - begun < 3


def test_writes_the_same_twice(written: Path) -> None:
    before = contents(written)
    write_samples(written, weights=written)
    assert contents(written) == before


def test_the_hubs_serve_what_is_written_here(tmp_path: Path) -> None:
    write_samples(tmp_path)
    assert contents(tmp_path) == contents(SAMPLES)


def test_dates_count_back_from_the_day_on_which_they_are_served() -> None:
    def latest(day: date) -> str:
        folder = DataFolder(path=SAMPLES, origins=ORIGINS, today=day)
        return str(folder.json(SAMPLES / "hf_model_slowglass__quarry-light.json")["lastModified"])

    assert latest(date(2026, 9, 1)) == "2026-04-24T13:15:04.000Z"
    assert latest(date(2027, 9, 1)) == "2027-04-24T13:15:04.000Z"


def test_removes_what_an_earlier_version_wrote(tmp_path: Path) -> None:
    write_samples(tmp_path)
    (tmp_path / "civitai_model_1.json").write_text("{}")
    (tmp_path / "own.json").write_text("{}")
    with (tmp_path / "samples.txt").open("a") as listing:
        listing.write("civitai_model_1.json\n")
    write_samples(tmp_path)
    assert not (tmp_path / "civitai_model_1.json").exists()
    assert (tmp_path / "own.json").exists()


def test_the_hubs_read_all_of_it(data: DataFolder, huggingface: HuggingFaceStore) -> None:
    assert len(load_civitai(data).models) == 22
    assert len(huggingface.repos) == 18
    assert len(load_replicate(data).models) == 6


def test_replicate_has_weights_for_every_fine_tune(data: DataFolder) -> None:
    store = load_replicate(data)
    versions = {f"{name}:{version}" for name, found in store.versions.items() for version in found}
    assert versions - set(store.weights) == {name for name in versions if name.startswith("clearwater/")}


def test_civitai_tells_the_sizes_its_files_have(data: DataFolder) -> None:
    store = load_civitai(data)
    told = [file for _, version in store.by_version.values() for file in version["files"]]
    assert len(told) > 20
    assert all(store.files[file["id"]].content.size == file["sizeKB"] * 1024 for file in told)


def test_the_same_lora_has_one_hash_on_two_hubs(written: Path, huggingface: HuggingFaceStore) -> None:
    model = read(written, "civitai_model_538214.json")
    repo = huggingface.repos["mirelune/captain-odile-illustrious"]
    (file,) = model["modelVersions"][0]["files"]
    assert repo.commits[0].files["captain_odile_il.safetensors"].sha256 == file["hashes"]["SHA256"].lower()


def test_a_repository_remembers_its_first_commit(huggingface: HuggingFaceStore) -> None:
    newest, oldest = huggingface.repos["sundayprint/risograph-weekend"].commits
    sizes = [commit.files["pytorch_lora_weights.safetensors"].size for commit in (newest, oldest)]
    assert sizes == [23_388_304, 11_775_136]


def test_one_repository_holds_a_dozen_loras(huggingface: HuggingFaceStore) -> None:
    files = huggingface.repos["tinroof/pocket-shelf"].commits[0].files
    assert sum(name.endswith(".safetensors") for name in files) == 12


def test_a_gated_repository_keeps_its_files_back(data: DataFolder, huggingface: HuggingFaceStore) -> None:
    repo = huggingface.repos["hollowpine/court-astronomer"]
    assert repo.gated
    assert data.access.is_granted("demo-granted", repo.id)


def test_what_is_deleted_still_haunts_the_lists(data: DataFolder, huggingface: HuggingFaceStore) -> None:
    assert data.ghosts("civitai") == {"690210"}
    assert huggingface.repos["driftwire/lost-kite"].is_ghost


def test_training_data_is_a_zip_of_pictures(data: DataFolder) -> None:
    spec = next(spec for spec in data.files["civitai"].values() if "zip" in spec)
    content = data.hub_file(spec).content
    with zipfile.ZipFile(io.BytesIO(content.read(0, content.size))) as packed:
        assert packed.namelist() == ["town-ember-1.webp", "town-moss-2.webp", "town-night-3.webp"]


def test_every_picture_that_is_told_of_is_there(written: Path) -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in written.glob("*.json"))
    names = {part.removeprefix("original=true/").partition(".webp")[0] for part in told.split("/pictures/")[1:]}
    assert names
    assert all((written / "pictures" / f"{name}.webp").is_file() for name in names)


def test_fills_in_what_was_trained(tmp_path: Path, weights: Path) -> None:
    write_samples(tmp_path, weights=weights)
    version = read(tmp_path, "civitai_model_900103.json")["modelVersions"][0]
    assert version["trainedWords"] == ["sks-robot word"]
    assert version["images"][0]["meta"]["seed"] == 7
    assert read(tmp_path, "files.json")["civitai"]["90010320"] == {
        "package": "data/weights/loras/sks-robot.safetensors"
    }
    assert (tmp_path / "pictures" / "sks-robot-1.webp").is_file()


def test_card_front_matter_reaches_the_hub(huggingface: HuggingFaceStore) -> None:
    repo = huggingface.repos["mossandmortar/ruin-and-ivy"]
    readme = repo.commits[0].files["README.md"].content
    assert isinstance(readme, InMemory)
    assert readme.data.startswith(b"---\ntags:\n")
    assert repo.info["cardData"]["base_model"] == ["Qwen/Qwen-Image", "Qwen/Qwen-Image-2512"]
