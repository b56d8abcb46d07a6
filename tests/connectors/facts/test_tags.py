from __future__ import annotations

from connectors.facts.tags import content_tags

# As Hugging Face answers about a FLUX LoRA.
REPO = (
    "diffusers", "text-to-image", "lora", "flux", "template:sd-lora", "style", "ink drawing", "en",
    "base_model:black-forest-labs/FLUX.1-dev", "base_model:adapter:black-forest-labs/FLUX.1-dev", "license:mit",
    "arxiv:2106.09685", "endpoints_compatible", "region:us",
)  # fmt: skip


def test_what_is_for_machines_is_left_out() -> None:
    assert content_tags(REPO) == ("style", "ink drawing")


def test_the_words_of_an_author_stay_as_they_are() -> None:
    assert content_tags(("Anime", "re:zero kara", "Star Wars: Andor", "day to night", "anime girl", "Anime")) == (
        "Anime",
        "re:zero kara",
        "Star Wars: Andor",
        "day to night",
        "anime girl",
    )
