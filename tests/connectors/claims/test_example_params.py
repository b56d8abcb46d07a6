from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.claims.example_params import lora_params


def test_resources_give_hashes_and_weights() -> None:
    resources = [
        {"hash": "1861fe1b6fd4", "name": "penink", "type": "lora", "weight": 0.8},
        {"hash": "5a1c2b4a08", "name": "meinaunreal", "type": "model"},
        {"hash": "not a hash", "name": "b,ad:name", "type": "LoCon", "weight": -1},
    ]
    assert lora_params({"resources": resources}) == {
        "Lora hashes": "penink: 1861fe1b6fd4",
        "Lora weights": "penink: 0.8, b_ad_name: -1",
    }


def test_a_graphs_loras_have_a_strength() -> None:
    listed = [{"name": "aesthetic.safetensors", "type": "lora", "strength": 1, "strengthClip": 1}]
    assert lora_params({"additionalResources": listed}) == {"Lora weights": "aesthetic: 1"}


def test_hashes_alone_name_loras() -> None:
    hashes = {"model": "5a1c2b4a08", "lora:penink": "1861fe1b6fd4", "LORA:add_detail": "7c6bad76eb54"}
    assert lora_params({"hashes": hashes}) == {"Lora hashes": "penink: 1861fe1b6fd4, add_detail: 7c6bad76eb54"}


def test_the_hubs_own_list_names_versions() -> None:
    listed = [{"type": "lora", "weight": 0.7, "modelVersionId": 2001}, {"type": "checkpoint", "modelVersionId": 7}]
    found = lora_params({"civitaiResources": listed})
    assert json.loads(found["Civitai resources"]) == [{"type": "lora", "weight": 0.7, "modelVersionId": 2001}]


@pytest.mark.parametrize(
    "meta", [{}, {"resources": 7}, {"resources": [7, {}]}, {"hashes": []}, {"civitaiResources": [{"type": "lora"}]}]
)
def test_other_shapes_say_nothing(meta: dict[str, Any]) -> None:
    assert lora_params(meta) == {}
