"""A base model of a few hundred kilobytes, and a library with one LoRA for it."""

import hashlib
from pathlib import Path

import pytest

from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from tests.hub_ui.generate.building import save_base, save_kohya


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("base")))


@pytest.fixture(autouse=True)
def library(home: Path) -> Path:
    """A library that holds one LoRA for that base, so that no hub is asked."""
    folder = home / "loras"
    (folder / "tiny-shapes").mkdir(parents=True)
    path = folder / "tiny-shapes" / "ink.safetensors"
    save_kohya(path)
    entry = Entry(
        ref=Ref.parse("civitai:1001@2001#3001"), title="Ink", file="tiny-shapes/ink.safetensors", size=1,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), source="", architecture="tiny-shapes",
        trigger_words=("ink",), weight=0.8,
    )  # fmt: skip
    (folder / "loras.lock").write_text(lockfile.dumps([entry]), encoding="utf-8")
    return folder
