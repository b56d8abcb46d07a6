"""The connectors on the demo's hubs: search, open, pin and find the bytes, as a person would."""

from __future__ import annotations

from contextlib import suppress

import pytest
import requests

import connectors
from connectors import federation
from connectors.claims.resolve import flatten
from connectors.connector import Connector, HttpDownload, pin
from connectors.errors import NotFound
from connectors.query import Query
from connectors.ref import HubName
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints

EVERYTHING = Query(limit=10_000, nsfw="explicit")


def _built(hubs: HubEndpoints, **tokens: str) -> tuple[Connector, ...]:
    endpoints: dict[HubName, str] = {
        "civitai": hubs.civitai,
        "huggingface": hubs.huggingface,
        "replicate": hubs.replicate,
    }
    keys: dict[HubName, str] = {"replicate": tokens.get("replicate", "any")}
    keys.update({name: key for name, key in tokens.items() if name in endpoints})
    return connectors.build(endpoints, keys)


def test_all_three_hubs_are_listed(hubs: HubEndpoints) -> None:
    found = federation.collect(_built(hubs), EVERYTHING)
    assert {lora.hub for lora in found.loras} == {"civitai", "huggingface", "replicate"}
    assert found.failures == ()


def test_every_lora_opens_and_agrees_with_its_card(hubs: HubEndpoints) -> None:
    built = _built(hubs)
    by_name: dict[str, Connector] = {connector.name: connector for connector in built}
    for listed in federation.collect(built, EVERYTHING).loras:
        # The samples hold a few that are listed though they are gone, as on the real hubs.
        with suppress(NotFound):
            opened = by_name[listed.hub].get(listed.ref)
            assert (opened.ref, opened.title) == (listed.ref, listed.title)
            assert flatten(opened).base_model == flatten(listed).base_model


def test_small_pages_lead_to_the_same_list(hubs: HubEndpoints) -> None:
    for connector in _built(hubs):
        whole = [lora.ref for lora in connector.search(Query(limit=100, nsfw="explicit")).loras]
        paged, cursor = [], None
        while True:
            page = connector.search(Query(limit=5, nsfw="explicit"), cursor)
            paged += [lora.ref for lora in page.loras]
            if (cursor := page.cursor) is None:
                break
        assert sorted(paged) == sorted(set(paged)) == sorted(whole)


@pytest.mark.parametrize("base", ["sdxl", "flux1", "z-image-turbo", "Pony"])
def test_a_base_is_found_on_every_hub_that_has_it(hubs: HubEndpoints, base: str) -> None:
    def on_base(query: Query) -> set[str]:
        return {str(lora.ref) for lora in federation.collect(_built(hubs), query).loras}

    filtered = on_base(Query(limit=1000, nsfw="explicit", bases=(base,)))
    listed = federation.collect(_built(hubs), EVERYTHING).loras
    own = {str(x.ref) for x in listed if base.casefold() in (flatten(x).base_model, flatten(x).architecture)}
    assert filtered
    assert filtered >= own


def test_a_safe_search_shows_nothing_stronger(hubs: HubEndpoints) -> None:
    loras = federation.collect(_built(hubs), Query(limit=1000, nsfw="safe")).loras
    # The other hubs rate nothing.
    assert {lora.hub for lora in loras} == {"civitai"}
    for lora in loras:
        assert lora.nsfw == "safe"
        assert {example.nsfw for version in lora.versions for example in version.examples} <= {"safe"}


def test_runners_are_asked_for_at_the_hub_that_has_them(hubs: HubEndpoints) -> None:
    hubs.faults.add(Fault(kind="status", status=500, hub="civitai"))
    hubs.faults.add(Fault(kind="status", status=500, hub="huggingface"))
    found = federation.collect(_built(hubs), Query(kinds=("runner",)))
    hubs.faults.clear()
    assert found.failures == ()


def test_the_bytes_are_where_a_download_says(hubs: HubEndpoints) -> None:
    civitai = _built(hubs, civitai="any")[0]
    ref = next(lora.ref for lora in civitai.search(Query()).loras if flatten(lora).access == "open")
    download = civitai.download(pin(civitai, ref))
    assert isinstance(download, HttpDownload)
    assert download.url.startswith(hubs.delivery)
    assert dict(download.headers) == {}
    answer = requests.get(download.url, timeout=30)
    assert len(answer.content) == download.size
