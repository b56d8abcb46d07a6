from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub_ui import services
from hub_ui.generate.base_models import choose_base
from hub_ui.pages.browse.painter import loaded_base
from hub_ui.settings import from_environment
from hub_ui.widgets.facets import LoadedBase


def test_the_base_in_memory_is_one_that_loras_can_be_found_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as built:
        assert loaded_base(built) is None
        tiny = choose_base(None, None, "tiny-shapes")
        monkeypatch.setattr(built.generation.local, "_loaded", SimpleNamespace(spec=tiny))
        assert loaded_base(built) == LoadedBase(architecture="tiny-shapes", label="Tiny Shapes")
        monkeypatch.setattr(built.generation.local, "_loaded", SimpleNamespace(spec=replace(tiny, architecture="")))
        assert loaded_base(built) is None
        monkeypatch.setattr(built.generation.local, "_loaded", None)
