"""The connectors on the demo's hubs: search, open, pin and find the bytes, as a person would.

Whatever stands in place of any value of a hub's answer, the mapping gives a record or nothing, never a crash.
"""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

import connectors
from connectors import federation
from connectors.civitai import parse as civitai_parse
from connectors.claims.resolve import flatten
from connectors.connector import Connector, HttpDownload, pin
from connectors.errors import BadAnswer, NotFound
from connectors.query import Query
from connectors.record import Lora
from connectors.ref import HubName
from connectors.replicate import parse as replicate_parse
from connectors.replicate import runs
from connectors.replicate.inputs import InputRequest, fill, inputs_of
from hub_ui.demo.hubs.replicate_store import official
from tests.connectors.building import (
    HASH,
    NOW,
    civitai_file,
    civitai_image,
    civitai_model,
    civitai_version,
    huggingface_item,
    of_huggingface,
    replicate_model,
)
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints

EVERYTHING = Query(limit=10_000, nsfw="explicit")


def _built(hubs: HubEndpoints, **tokens: str) -> tuple[Connector, ...]:
    keys: dict[HubName, str] = {"replicate": "any", **tokens}
    return connectors.build(hubs.by_name, keys)


def test_every_lora_of_all_three_hubs_opens_and_agrees_with_its_card(hubs: HubEndpoints) -> None:
    built = _built(hubs)
    by_name: dict[str, Connector] = {connector.name: connector for connector in built}
    found = federation.collect(built, EVERYTHING)
    assert {lora.hub for lora in found.loras} == by_name.keys()
    assert found.failures == ()
    for listed in found.loras:
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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
# Of each value: a twentieth of the examples of other tests.
FEW = settings().max_examples // 20
RUN = {
    "id": "abc123", "status": "succeeded", "model": "a/b", "version": HASH, "error": None,
    "input": {"steps": 20, "trigger_word": "TOK", "lora_rank": 8}, "output": {"version": f"a/b:{HASH}"},
    "logs": " 50%|#####     | 10/20 [00:01<00:01]", "metrics": {"predict_time": 1.5},
    "completed_at": "2026-08-01T10:00:00Z",
}  # fmt: skip
RUNNER = official()["black-forest-labs/flux-dev-lora"]["latest_version"]


def _places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every value of a JSON document, by the keys that lead to it."""
    if path:
        yield path
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        yield from _places(value, (*path, key))


def _replaced(data: Any, path: tuple[Any, ...], value: object) -> Any:
    changed = copy.deepcopy(data)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return changed


def _is_fine(lora: Lora | None) -> None:
    if lora is not None:
        json.dumps(flatten(lora).to_json(), allow_nan=False).encode()


def _read_item(item: dict[str, Any]) -> Lora | None:
    """huggingface_hub refuses some values by itself, and the connector tells it or goes on to the next repo."""
    with suppress(KeyError, TypeError, ValueError, AttributeError):
        return of_huggingface(item.pop("readme"), **item)
    return None


CARD = {
    "base_model": ["Qwen/Qwen-Image"], "license": "other", "license_name": "x", "instance_prompt": "TOK", "tags": ["a"],
    "trigger": "TOK", "extra_gated_prompt": "?", "widget": [{"text": "TOK", "output": {"url": "a.png"}}],
}  # fmt: skip
IMAGE = civitai_image(meta={"prompt": "a", "seed": 7, "hashes": {"lora:a": "1861fe1b6fd4"}}, width=8, height=8)
VERSION = civitai_version(images=[IMAGE], files=[civitai_file(overrideName="a", virusScanResult="Success")])
TRAINED = {"input": RUN["input"], "output": {"version": f"a/b:{HASH}", "weights": "https://a.example/a.tar"}}
# What each hub answers about a LoRA, and what makes one of it.
ANSWERS: tuple[tuple[HubName, dict[str, Any], Callable[[dict[str, Any]], Lora | None]], ...] = (
    ("civitai", civitai_model(modelVersions=[{**VERSION, "paidAccess": {"endsAt": None}}], nsfw=False, poi=False),
     lambda data: civitai_parse.lora(data, "https://civitai.com", NOW)),
    ("huggingface", huggingface_item(cardData=CARD, readme="# A\nTrigger: `a`"), _read_item),
    ("replicate", replicate_model(training=TRAINED, weights_url="https://a.example/a"), replicate_parse.lora),
)  # fmt: skip


@pytest.mark.parametrize(
    ("hub", "path"), [(hub, path) for hub, data, _ in ANSWERS for path in _places(data)],
    ids=lambda value: value if isinstance(value, str) else ".".join(map(str, value)),
)  # fmt: skip
@settings(max_examples=2 * FEW, deadline=None)
@given(value=JSON)
def test_any_value_in_an_answer_about_a_lora(hub: HubName, path: tuple[Any, ...], value: object) -> None:
    data, read = next((data, read) for name, data, read in ANSWERS if name == hub)
    _is_fine(read(_replaced(data, path, value)))


@pytest.mark.parametrize("path", list(_places(RUN)), ids=lambda path: ".".join(map(str, path)))
@settings(max_examples=FEW, deadline=None)
@given(value=JSON)
def test_any_value_in_a_replicate_run(path: tuple[Any, ...], value: object) -> None:
    changed = _replaced(RUN, path, value)
    try:
        run = runs.read("trainings", changed)
    except BadAnswer:
        assert path in (("id",), ("status",))
        return
    assert run.progress is None or 0 <= run.progress <= 1
    _is_fine(replicate_parse.lora_of_training(run.data))
    runs.terms_of(run)


@pytest.mark.parametrize("path", list(_places(RUNNER)), ids=lambda path: ".".join(map(str, path)))
@settings(max_examples=5, deadline=None)
@given(value=JSON)
def test_any_value_in_a_schema_of_inputs(path: tuple[Any, ...], value: object) -> None:
    inputs = inputs_of(_replaced(RUNNER, path, value))
    wish = InputRequest(
        prompt="a pier", own=True, scales=(9.0,), seed=7, steps=900, guidance=99.0, width=512, height=768
    )
    json.dumps(fill(inputs, wish).values)
