from __future__ import annotations

from typing import Any

import pytest

from connectors.facts.card_base import card_claims
from connectors.facts.claims import best


def _base(
    front: dict[str, Any] | None = None, hub: object = None, tags: tuple[str, ...] = (), body: str = ""
) -> object:
    return best(card_claims(front or {}, hub, tags, body), "base_model")


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("krea/Krea-2-Turbo", "krea-2"),
        (["unlisted/thing", "stabilityai/stable-diffusion-xl-base-1.0"], "sdxl-1.0"),
        ("https://huggingface.co/black-forest-labs/FLUX.1-dev", "flux.1-dev"),
        ("Illustrious-XL", "illustrious"),
        ("unlisted/thing", "unlisted/thing"),
        ("unlisted/waiIllustriousSDXL_v170", "illustrious"),
        (["unlisted/thing", "unlisted/flux2-klein-9b-own"], "flux.2-klein-9b"),
        (["", None], None),
        ({"a": 1}, None),
    ],
)
def test_the_front_matter_is_a_repo_a_list_or_a_name(written: object, base: str | None) -> None:
    assert _base({"base_model": written}) == base


def test_what_an_unlisted_repo_is_made_from_is_told_by_its_name() -> None:
    claims = card_claims({"base_model": "x/waiIllustriousSDXL_v170"}, None, (), "")
    assert [(c.field, c.value, c.where) for c in claims] == [
        ("raw_base_model", "x/waiIllustriousSDXL_v170", "card front matter: base_model"),
        ("base_model", "illustrious", "card front matter: base_model: Illustrious"),
        ("architecture", "sdxl", "card front matter: base_model: Illustrious"),
    ]


def test_the_hubs_own_reading_stands_in() -> None:
    assert _base(tags=("lora", "base_model:adapter:Qwen/Qwen-Image")) == "qwen-image"
    assert _base(hub={"relation": "adapter", "models": [{"id": "Qwen/Qwen-Image"}]}) == "qwen-image"


@pytest.mark.parametrize(
    ("tags", "base"),
    [
        (("flux", "lora"), "flux.1-dev"),
        (("stable-diffusion-xl", "stable-diffusion"), "sdxl-1.0"),
        (("FLUX.2-klein-4B",), "flux.2-klein-4b"),
        (("flux.1-d",), "flux.1-dev"),
        (("stable-diffusion", "text-to-image"), None),
        (("lens", "chroma", "other"), None),
        (("sdxl", "flux"), None),
    ],
)
def test_a_silent_cards_tags_are_read_if_they_agree(tags: tuple[str, ...], base: str | None) -> None:
    assert _base(tags=tags) == base


@pytest.mark.parametrize(
    ("body", "base"),
    [
        ("**Base model**: Flux.1 D\n**Trained words**: x", "flux.1-dev"),
        ("| Base model | `krea/Krea-2-Turbo` |", "krea-2"),
        ("- Base model: [FLUX.1-dev](https://huggingface.co/x)", "flux.1-dev"),
        ("These are LoRA adaption weights for runwayml/stable-diffusion-v1-5. They", "sd-1.5"),
        ('X.from_pretrained("stabilityai/stable-diffusion-xl-base-1.0")\nY.from_pretrained("a/vae")', "sdxl-1.0"),
        ("My personal LoRAs and LyCORIS for Stable Diffusion 1.5.", "sd-1.5"),
        ("A LoRA trained on **Z-Image-Turbo**, by me.", "z-image-turbo"),
        ("This LoRA is for SDXL, another is for FLUX.1-dev.", None),
        ("Better than FLUX.1-dev!", None),
        ("", None),
    ],
)
def test_a_silent_cards_text_is_read_if_it_names_one_base(body: str, base: str | None) -> None:
    assert _base(body=body) == base


def test_a_repos_name_is_the_last_to_be_asked() -> None:
    claims = card_claims({}, None, (), "", "a/fox-sdxl-lora")
    assert {(c.field, c.value, c.where) for c in claims} == {
        ("base_model", "sdxl-1.0", "repo name: sdxl"),
        ("architecture", "sdxl", "repo name: sdxl"),
    }
    assert best(card_claims({}, None, ("flux",), "", "a/fox-sdxl-lora"), "base_model") == "flux.1-dev"
    assert card_claims({}, None, (), "", "stabilityai/sdxl-turbo") == ()


def test_what_the_card_states_is_not_doubted_by_its_text() -> None:
    assert _base({"base_model": "Qwen/Qwen-Image"}, body="trained on SDXL") == "qwen-image"


def test_a_claim_says_where_it_was_read() -> None:
    claims = card_claims({}, None, (), "LoRAs for Stable Diffusion 1.5.")
    assert {(claim.source, claim.where) for claim in claims} == {("card", "card: Stable Diffusion 1.5")}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("body", ["base model: " * 15_000, "for " * 50_000, "weights for a" * 15_000, "a/" * 90_000])
def test_a_card_made_to_be_slow_does_not_hang(body: str) -> None:
    card_claims({}, None, (), body)
