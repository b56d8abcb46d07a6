"""Whatever stands in place of any value of a hub's answer, the mapping gives a record or nothing, never a crash."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.civitai import parse
from connectors.claims.resolve import flatten
from connectors.errors import BadAnswer
from connectors.record import Lora
from connectors.replicate import parse as replicate_parse
from connectors.replicate import runs
from connectors.replicate.inputs import InputRequest, fill, inputs_of
from hub_ui.demo.hubs.replicate_store import official
from tests.connectors.building import (
    HASH,
    NOW,
    civitai_alone,
    civitai_image,
    civitai_model,
    civitai_version,
    of_huggingface,
    replicate_model,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
# Of each value: a twentieth of the examples of other tests.
FEW = settings().max_examples // 20
META = {"prompt": "a pier", "seed": 1, "meta": {}}
CIVITAI = civitai_model(modelVersions=[civitai_version(images=[civitai_image(meta=META)], paidAccess={"endsAt": None})])
ALONE = civitai_alone()
RUN = {
    "id": "abc123", "status": "succeeded", "model": "a/b", "version": HASH, "error": None,
    "input": {"steps": 20, "trigger_word": "TOK"}, "output": {"version": f"a/b:{HASH}"},
    "logs": " 50%|#####     | 10/20 [00:01<00:01]", "metrics": {"predict_time": 1.5},
    "completed_at": "2026-08-01T10:00:00Z",
}  # fmt: skip
RUNNER = official()["black-forest-labs/flux-dev-lora"]["latest_version"]
REPLICATE = replicate_model(weights_url="https://huggingface.co/a/b", cover_image_url="https://a.b/c.png")


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


@pytest.mark.parametrize("path", list(_places(CIVITAI)), ids=lambda path: ".".join(map(str, path)))
@settings(max_examples=FEW, deadline=None)
@given(value=JSON)
def test_any_value_in_a_civitai_model(path: tuple[Any, ...], value: object) -> None:
    changed = _replaced(CIVITAI, path, value)
    _is_fine(parse.lora(changed, "https://civitai.com", NOW))
    _is_fine(parse.lora(parse.with_version(changed, ALONE), "https://civitai.com", NOW))


@pytest.mark.parametrize("path", list(_places(ALONE)), ids=lambda path: ".".join(map(str, path)))
@settings(max_examples=FEW, deadline=None)
@given(value=JSON)
def test_any_value_in_a_civitai_version(path: tuple[Any, ...], value: object) -> None:
    changed = _replaced(ALONE, path, value)
    _is_fine(parse.lora_of_version(changed, "https://civitai.com", NOW))
    _is_fine(parse.lora(parse.with_version(CIVITAI, changed), "https://civitai.com", NOW))


@pytest.mark.parametrize("path", list(_places(REPLICATE)), ids=lambda path: ".".join(map(str, path)))
@settings(max_examples=FEW, deadline=None)
@given(value=JSON)
def test_any_value_in_a_replicate_model(path: tuple[Any, ...], value: object) -> None:
    changed = _replaced(REPLICATE, path, value)
    _is_fine(replicate_parse.lora(changed))


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


@settings(max_examples=100, deadline=None)
@given(front=st.dictionaries(st.sampled_from(["base_model", "instance_prompt", "widget", "license", "trigger"]), JSON))
def test_any_value_in_a_cards_front_matter(front: dict[str, Any]) -> None:
    _is_fine(of_huggingface(cardData=front))


@settings(max_examples=100, deadline=None)
@given(text=st.text())
def test_any_text_of_a_card(text: str) -> None:
    _is_fine(of_huggingface(text))
    _is_fine(of_huggingface(f"---\n{text}\n---\n{text}"))
