from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import Gated, HubUiError, NotFound, RegionBlocked
from connectors.record import Access
from connectors.ref import Ref
from hub_ui.library.sync import best_home, explain
from tests.hub_ui.stand_ins import lora, version

REF = Ref.parse("civitai:1001@2001")
GONE = NotFound("The file is not there. It may have been removed.", hub="civitai")
MIRROR = Ref.parse("huggingface:ada/ink@" + "a" * 40 + "#ink.safetensors")

BLOCKED = RegionBlocked("The hub does not serve your region.", hub="civitai")
GATED = Gated("Ask for it on the LoRA's own page.", hub="civitai")
VERSIONS = (version(REF), version(Ref.parse("civitai:1001@2002")))
PAGE = "Its page: https://hub.invalid/1001"
KNOWN = "The catalog remembers it as “Ink lines” by ada."
SAME = f"The same bytes are at {MIRROR}: hub-ui pull {MIRROR}"


@pytest.mark.parametrize(
    ("error", "mirror", "known", "step"),
    [
        (GONE, MIRROR, {}, SAME),
        (BLOCKED, MIRROR, {}, SAME),
        (BLOCKED, Ref.parse("civitai:7@8#9"), {}, PAGE),
        (GATED, None, {}, PAGE),
        (GONE, None, {"versions": VERSIONS}, f"{KNOWN} Another version is there: hub-ui pull civitai:1001@2002"),
        (GONE, None, {"versions": VERSIONS, "access": "archived"}, f"{KNOWN} {PAGE}"),
        (GONE, None, {"versions": VERSIONS, "access": "removed"}, KNOWN),
        # The full stop that a hub's own words lack.
        (NotFound("No model with id 7"), None, {}, KNOWN),
    ],
)
def test_refusals_have_a_next_step(error: HubUiError, mirror: Ref | None, known: dict[str, Any], step: str) -> None:
    told = explain(error, REF, replace(lora(), **known), [mirror] if mirror else []).message
    assert told == f"{error.message.removesuffix('.')}. {step}"


@pytest.mark.parametrize("said", ["See http://a/b", "Gone?"])
def test_an_address_and_a_question_get_no_full_stop(said: str) -> None:
    assert explain(NotFound(said), REF, lora(), []).message == f"{said} {KNOWN}"


@pytest.mark.parametrize(
    ("keys", "seconds", "access", "chosen"),
    [
        ((), {}, "open", MIRROR),
        (("civitai",), {}, "open", REF),
        (("civitai",), {"huggingface": 0.2, "civitai": 0.5}, "open", MIRROR),
        (("civitai",), {"huggingface": 0.2, "civitai": 0.5}, "gated", REF),
        (("civitai",), {"huggingface": 0.5, "civitai": 0.2}, "open", REF),
        ((), {"huggingface": 0.5, "civitai": 0.2}, "open", MIRROR),
    ],
)
def test_the_open_home_without_a_key_is_best_and_then_the_fastest(
    keys: tuple[str, ...], seconds: dict[str, float], access: Access, chosen: Ref
) -> None:
    mirror = replace(lora(), versions=(version(MIRROR),), access=access)
    homes = {REF: replace(lora(), versions=(version(REF),)), MIRROR: mirror}
    assert best_home(REF, [MIRROR], homes.__getitem__, keys, seconds) == chosen
