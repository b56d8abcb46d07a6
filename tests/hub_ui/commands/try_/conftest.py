"""A base model of a few hundred kilobytes, and a library with one LoRA for it."""

from pathlib import Path

import pytest

from tests.hub_ui.commands.try_.images import INK, enter
from tests.hub_ui.generate.building import save_base, save_kohya


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("base")))


@pytest.fixture(autouse=True)
def library(home: Path) -> Path:
    """A library that holds one LoRA for that base, so that no hub is asked."""
    (home / "loras" / "tiny-shapes").mkdir(parents=True)
    save_kohya(home / "loras" / INK)
    return enter(home / "loras", trigger_words=("ink",), weight=0.8)
