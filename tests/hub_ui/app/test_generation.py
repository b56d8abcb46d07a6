"""What a visitor of a hosted page can't have fetched: a base, and the rest of one. And where a comparison goes on."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.app import services
from hub_ui.app.generation import DeferredBackend
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.generate.base_models import base_by_id
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.estimate import Estimate
from hub_ui.generate.request import Callbacks, GenerationCancelled, GenerationRequest
from hub_ui.generate.result import GenerationResult
from hub_ui.settings import from_environment
from tests.hub_ui.generate import making
from tests.hub_ui.generate.base_hub import save_hub
from tests.hub_ui.generate.building import save_base
from tests.hub_ui.stand_ins import services_of


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
    with (
        running_hubs(folder) as hubs,
        services_of(hubs, home, demo=False, hosted=True) as page,
        pytest.raises(UsageError, match=r"does not have SD 1\.5 on its disk"),
    ):
        page.generation.generate(asked, comparison.single(asked))


class Place:
    """A backend that makes the images of so many LoRAs, and is stopped at the next."""

    def __init__(self, most: int) -> None:
        self.most, self.made = most, list[str]()

    def generate(self, asked: GenerationRequest, sheet: Comparison, callbacks: Callbacks) -> GenerationResult:
        if len(self.made) == self.most:
            raise GenerationCancelled("Stopped.")
        self.made.append(asked.adapters[0].title)
        return making.made(asked, sheet)

    def close(self) -> None:
        """Has nothing open."""


def test_a_comparison_goes_on_with_what_was_made_at_the_same_place_alone(home: Path) -> None:
    other = making.adapter(ref=Ref.parse("civitai:7@8#9"), title="Mist")
    asked = making.job(making.adapter(), other)
    sheet = comparison.lora_columns(asked)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as built:
        here, there = Place(most=1), Place(most=2)
        built.generation.local, built.generation.replicate = here, there  # type: ignore[assignment]
        with pytest.raises(GenerationCancelled):
            built.generation.generate(asked, sheet)
        built.generation.generate(asked, sheet, place="replicate")
    assert (len(here.made), len(there.made)) == (1, 2)


class Slow(Place):
    """One that is known to take long in full."""

    def estimate(self, asked: GenerationRequest, sheet: Comparison) -> Estimate:
        seconds = 20.0 if asked.draft else 240.0
        return Estimate(seconds=seconds, images=len(sheet.cells), measured=True, sentence=f"about {seconds:g} s")


@pytest.mark.parametrize(
    ("draft", "place", "make", "said", "made"),
    [
        (None, "local", comparison.before_after, "in full about 4 min, so as drafts: about 20 s", True),
        (None, "local", comparison.single, "about 240 s", False),
        (True, "local", comparison.before_after, "as drafts: about 20 s", True),
        (False, "local", comparison.before_after, "about 240 s", False),
        (None, "replicate", comparison.before_after, "about 240 s", False),
    ],
)
def test_a_long_sheet_is_made_of_drafts_unless_somebody_chose(
    home: Path, draft: bool | None, place: str, make: Any, said: str, made: bool
) -> None:
    asked = making.job(draft=draft)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as built:
        built.generation.local = built.generation.replicate = Slow(most=9)  # type: ignore[assignment]
        assert built.generation.estimate(asked, make(asked), place=place) == said
        result = built.generation.generate(asked, make(asked), place=place)
    assert result.request.draft is made


class Learning(Place):
    """It knows how long it takes once it has made something."""

    def estimate(self, asked: GenerationRequest, sheet: Comparison) -> Estimate:
        return Estimate(seconds=240.0, images=len(sheet.cells), measured=bool(self.made), sentence="about 240 s")


def test_a_sheet_that_was_begun_in_full_goes_on_in_full(home: Path) -> None:
    asked = making.job(making.adapter(), making.adapter(ref=Ref.parse("civitai:7@8#9"), title="Mist"), draft=None)
    sheet = comparison.lora_columns(asked)
    with services.build(from_environment({"HUB_UI_HOME": str(home)})) as built:
        built.generation.local = place = Learning(most=1)  # type: ignore[assignment]
        with pytest.raises(GenerationCancelled):
            built.generation.generate(asked, sheet)
        place.most = 9
        assert built.generation.generate(asked, sheet).request.draft is False


def test_where_images_are_made_is_built_once_and_with_its_first_use_alone() -> None:
    built, barrier = list[Any](), Barrier(8)

    def build() -> Any:
        built.append(Place(most=1))
        return built[-1]

    def use(_number: int) -> Any:
        barrier.wait()
        return deferred.backend

    deferred = DeferredBackend(build)
    deferred.close()
    assert (deferred.loaded_base, built) == (None, [])
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(8))) == set(built)
    assert len(built) == 1
