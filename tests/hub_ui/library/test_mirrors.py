from dataclasses import replace

import pytest

from connectors.errors import Gated, HubUiError, NotFound, RegionBlocked
from connectors.record import Access
from connectors.ref import Ref
from hub_ui.library.sync import best_home, explain
from tests.hub_ui.stand_ins import lora, version

REF = Ref.parse("civitai:1001@2001")
GONE = NotFound("The file is not there. It may have been removed.", hub="civitai")
MIRROR = Ref.parse("huggingface:ada/ink@" + "a" * 40 + "#ink.safetensors")


def advice(error: HubUiError = GONE, *mirrors: Ref, **fields: object) -> str:
    known = replace(lora(), **fields)  # type: ignore[arg-type]
    return explain(error, REF, known, mirrors).message


def test_the_same_bytes_on_another_hub_are_the_best_step() -> None:
    assert (
        advice(GONE, MIRROR)
        == f"The file is not there. It may have been removed. The same bytes are at {MIRROR}: hub-ui pull {MIRROR}"
    )


def test_a_region_that_is_blocked_is_not_sent_to_the_same_hub() -> None:
    blocked = RegionBlocked("The hub does not serve your region.", hub="civitai")
    assert "hub-ui pull civitai" not in advice(blocked, Ref.parse("civitai:7@8#9"))
    assert "hub-ui pull huggingface" in advice(blocked, MIRROR)


def test_the_advice_names_another_version_in_the_catalog() -> None:
    versions = (version(REF), version(Ref.parse("civitai:1001@2002")))
    assert advice(versions=versions) == (
        "The file is not there. It may have been removed. The catalog remembers it as “Ink lines” by ada. "
        "Another version is there: hub-ui pull civitai:1001@2002"
    )


def test_what_is_archived_still_has_its_page() -> None:
    assert advice(access="archived").endswith("by ada. Its page: https://hub.invalid/1001")


@pytest.mark.parametrize(
    ("said", "joined"),
    [
        ("No model with id 7", "No model with id 7. The"),
        ("See http://a/b", "See http://a/b The"),
        ("Gone?", "Gone? The"),
    ],
)
def test_a_hubs_own_words_get_the_full_stop_they_lack(said: str, joined: str) -> None:
    assert joined in advice(NotFound(said))


@pytest.mark.parametrize("access", ["archived", "removed"])
def test_no_version_is_offered_of_what_is_gone_as_a_whole(access: str) -> None:
    versions = (version(REF), version(Ref.parse("civitai:1001@2002")))
    assert "hub-ui pull" not in advice(versions=versions, access=access)


def test_a_gate_names_the_page_where_access_is_asked() -> None:
    assert advice(
        Gated("Ask for it on the LoRA's own page.", hub="civitai"), url="https://civitai.com/models/1001"
    ) == ("Ask for it on the LoRA's own page. Its page: https://civitai.com/models/1001")


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
