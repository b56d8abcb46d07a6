from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diffusers import UNet2DConditionModel

from hub_ui.generate.base_models.download import Source
from hub_ui.generate.engine import Engine
from hub_ui.generate.lora.load import LoraCache
from tests.hub_ui.generate.building import load_base, save_base, save_kohya
from tests.hub_ui.generate.original import save_wide
from tests.hub_ui.generate.pipelines.bench import Bench


@pytest.fixture(autouse=True)
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is chosen by itself is what it is where neither bitsandbytes nor SDNQ is installed."""
    monkeypatch.setattr("hub_ui.generate.base_models.table.find_spec", lambda package: None)
    monkeypatch.setattr("hub_ui.generate.base_models.repo_layout.find_spec", lambda package: None)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_base(tmp_path_factory.mktemp("base")))


@pytest.fixture(scope="module")
def pipe(base: str) -> Any:
    """Who changes it has to leave it as it was."""
    return load_base(base)


@pytest.fixture(scope="module")
def wide(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base with a text encoder as wide as the real one's."""
    return save_wide(Path(base), tmp_path_factory.mktemp("wide"))


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(folder=tmp_path_factory.mktemp("bench"), cache=LoraCache(2**28))


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Engine]:
    built = Engine(Source(endpoint="http://127.0.0.1:9", cache=tmp_path / "cache"))
    yield built
    built.close()


@pytest.fixture
def kohya(tmp_path: Path) -> Path:
    return save_kohya(tmp_path / "kohya.safetensors")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each run of a UNet has, two for each image: guidance runs it without the prompt too."""
    counts: list[int] = []
    forward = UNet2DConditionModel.forward

    def counted(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        counts.append(len(sample))
        return forward(self, sample, *args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", counted)
    return counts
