from pathlib import Path
from typing import Any

import pytest

from hub_ui.demo.hubs.folder import DataFolderError
from tests.hub_ui.demo.hubs.conftest import folder


def test_an_empty_folder_has_nothing_and_lets_everybody_sign_in(tmp_path: Path) -> None:
    empty = folder(tmp_path)
    assert empty.files == {}
    assert empty.access.is_signed_in("civitai", "anything")
    assert not empty.access.is_signed_in("civitai", None)
    assert not empty.access.is_granted("anything", "OWNER/NAME")


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "missing", ".", "link"])
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(DataFolderError):
        folder(tmp_path / "data").hub_file({"path": name})


def test_a_file_is_a_path_a_package_file_a_text_or_generated(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"12345")
    specs: list[dict[str, Any]] = [
        {"path": "x.bin"},
        {"text": "{HF_ENDPOINT}"},
        {"package": "hubs/__init__.py"},
        {"safetensors": {"tensors": {}}},
    ]
    assert [folder(tmp_path).hub_file(spec).content.size > 4 for spec in specs] == [True] * 4
    with pytest.raises(DataFolderError, match="one of path"):
        folder(tmp_path).hub_file({"url": "http://elsewhere"})


def test_a_file_that_is_not_json_is_named_and_a_table_of_tensors_read_on_first_use(tmp_path: Path) -> None:
    for name in ("table.json", "files.json"):
        (tmp_path / name).write_text("{")
    content = folder(tmp_path).hub_file({"safetensors": {"tensors": "table.json"}}).content
    with pytest.raises(DataFolderError, match=r"table\.json is not JSON"):
        _ = content.size
    with pytest.raises(DataFolderError, match=r"files\.json is not JSON"):
        _ = folder(tmp_path).files
