"""What a visitor of a hosted page can't have fetched: a base, and the rest of one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.errors import UsageError
from hub_ui import services
from hub_ui.commands.serve import demo_settings
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.generate import comparison
from hub_ui.generate.base_models import base_by_id
from hub_ui.generate.request import GenerationRequest
from tests.hub_ui.generate.base_hub import save_hub
from tests.hub_ui.generate.building import save_base


def test_no_visitor_completes_a_base_however_little_is_missing(tmp_path: Path, home: Path) -> None:
    folder = save_hub(tmp_path / "data", Path(save_base(tmp_path / "base")))
    files = json.loads((folder / "files.json").read_text())["huggingface"]
    base = base_by_id("sd-1.5")
    assert base is not None
    files[base.source] = files["maker/tiny"]
    model = {"id": base.source, "sha": base.revision}
    (folder / f"hf_model_{base.source.replace('/', '__')}.json").write_text(json.dumps(model))
    (folder / "files.json").write_text(json.dumps({"huggingface": files}))
    asked = GenerationRequest(adapters=(), prompt="a boat", base="sd-1.5", steps=1, width=64, height=64)
    with running_hubs(folder) as hubs:
        settings = replace(demo_settings(home, home / "loras", hubs), demo=False, hosted=True)
        with services.build(settings) as page, pytest.raises(UsageError, match=r"does not have SD 1\.5 on its disk"):
            page.generation.generate(asked, comparison.single(asked))
