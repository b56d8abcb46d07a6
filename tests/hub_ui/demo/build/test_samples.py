import hashlib
from pathlib import Path
from shutil import copy, copytree
from typing import Any

import pytest
from PIL import Image

from hub_ui.demo.build.samples import blurhash, civitai_hashes, json_bytes, read_json, refresh
from hub_ui.demo.hubs.folder import SAMPLES, generate_safetensors, in_memory

HUGGING_FACE = "hf_model_slowglass__quarry-light.json"
# Of the text "abc", as other tools give them.
OF_ABC = {
    "AutoV2": "BA7816BF8F",
    "SHA256": "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
    "CRC32": "352441C2",
    "BLAKE3": "6437B3AC38465133FFB63B75273A8DB548C558465D79DB03FD359C6CD5BD9D85",
}
COMMITS = "hf_commits_slowglass__quarry-light.json"


def test_nothing_that_follows_is_missing_in_the_samples(tmp_path: Path) -> None:
    copytree(SAMPLES, tmp_path, dirs_exist_ok=True)
    assert refresh(tmp_path) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with nothing but the list of files."""
    (tmp_path / "pictures").mkdir()
    write(tmp_path / "files.json", {"civitai": {"70": {"text": "abc"}}, "huggingface": {}})
    return tmp_path


def write(path: Path, data: Any) -> None:
    path.write_bytes(json_bytes(data))


def write_civitai(folder: Path, images: list[Any]) -> None:
    file: dict[str, Any] = {"id": 70, "sizeKB": None, "hashes": {}, "pickleScanResult": "Success"}
    write(folder / "civitai_model_7.json", {"modelVersions": [{"files": [file], "images": images}]})


def civitai_version(folder: Path) -> Any:
    return read_json(folder / "civitai_model_7.json")["modelVersions"][0]


def test_a_file_of_civitai_gets_its_size_and_hashes(folder: Path) -> None:
    write_civitai(folder, images=[])
    assert refresh(folder) == ["civitai_model_7.json"]
    (file,) = civitai_version(folder)["files"]
    assert file["sizeKB"] == 3 / 1024
    assert file["hashes"] == OF_ABC


def test_the_newest_commit_says_what_a_repository_is(folder: Path) -> None:
    copy(SAMPLES / HUGGING_FACE, folder)
    readme = "---\nbase_model: a/b\nlicense: mit\n---\n# Light\n"
    files = {"light.safetensors": {"text": "abc"}}
    write(folder / COMMITS, [{"sha": "1" * 40, "date": "2026-08-01T00:00:00.000Z", "files": files, "readme": readme}])
    refresh(folder)
    model = read_json(folder / HUGGING_FACE)
    assert (model["sha"], model["lastModified"]) == ("1" * 40, "2026-08-01T00:00:00.000Z")
    assert model["cardData"] == {"base_model": "a/b", "license": "mit"}
    assert model["siblings"] == [{"rfilename": "README.md"}, {"rfilename": "light.safetensors"}]
    assert model["tags"] == ["safetensors", "base_model:a/b", "base_model:finetune:a/b", "license:mit", "region:us"]
    assert (folder / "hf_readme_slowglass__quarry-light.md").read_text(encoding="utf-8") == readme
    assert read_json(folder / "files.json")["huggingface"] == {"slowglass/quarry-light": files}


def test_the_latest_version_of_replicate_is_the_one_of_that_id(folder: Path) -> None:
    write(folder / "replicate_version_5.json", {"id": "5", "cog_version": "0.17", "model": "a/b"})
    write(folder / "replicate_model_a__b.json", {"owner": "a", "name": "b", "latest_version": {"id": "5"}})
    assert refresh(folder) == ["replicate_model_a__b.json"]
    assert read_json(folder / "replicate_model_a__b.json")["latest_version"] == {"id": "5", "cog_version": "0.17"}


SMALL = {"tensors": {"a": ["F32", [2]]}, "seed": 1}


def hashes(data: bytes) -> dict[str, str]:
    return civitai_hashes(in_memory(data))


def test_text_has_the_hashes_that_other_tools_give_it() -> None:
    assert hashes(b"abc") == OF_ABC


def test_a_safetensors_file_is_also_known_by_its_tensors_alone() -> None:
    content = generate_safetensors(SMALL)
    tensors = content.read(content.size - 8, content.size)
    assert civitai_hashes(content)["AutoV3"] == hashlib.sha256(tensors).hexdigest()[:12].upper()


def test_a_blurhash_is_the_one_that_other_encoders_write() -> None:
    with Image.open(SAMPLES / "pictures" / "astronaut-dusk-1.webp") as picture:
        assert blurhash(picture) == "UUH1DIxD5Aj]0hsA-Sn%%1sni{oKIXWVbba#"
