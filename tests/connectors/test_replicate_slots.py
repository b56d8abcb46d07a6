from __future__ import annotations

import pytest

from connectors.errors import DoesNotFit, DownloadsDisabled, Gated, HubUiError, KeyRequired, Paid, UsageError
from connectors.record import Access
from connectors.ref import Ref
from connectors.replicate_slots import runner, slot
from hub_ui.demo.hubs.replicate_official import loads

COMMIT, HASH = "1ecd" * 10, "dd66" * 16


@pytest.mark.parametrize(
    ("ref", "address"),
    [
        (
            f"huggingface:ada/ink@{COMMIT}#ink v2.safetensors",
            f"https://huggingface.co/ada/ink/resolve/{COMMIT}/ink%20v2.safetensors",
        ),
        (
            f"huggingface:ada/ink@{COMMIT}#deep/er.safetensors",
            f"https://huggingface.co/ada/ink/resolve/{COMMIT}/deep/er.safetensors",
        ),
        ("civitai:1001@2001", "https://civitai.com/api/download/models/2001?type=Model&format=SafeTensor"),
        (
            "civitai:1001@2001#3001",
            "https://civitai.com/api/download/models/2001?type=Model&format=SafeTensor&fileId=3001",
        ),
        (f"replicate:maker/x@{HASH}", f"https://replicate.com/maker/x/versions/{HASH}"),
    ],
)
def test_a_lora_is_named_so_that_the_same_file_is_loaded(ref: str, address: str) -> None:
    assert slot(Ref.parse(ref)) == address
    assert loads(address)


def test_civitai_is_never_named_by_its_page_or_mature_domain() -> None:
    """The runners take the model's id in a page's address for a version's."""
    for pasted in (
        "https://civitai.red/models/1001?modelVersionId=2001",
        "https://civitai.com/models/1001?modelVersionId=2001",
    ):
        assert slot(Ref.parse(pasted)).startswith("https://civitai.com/api/download/models/2001?")


@pytest.mark.parametrize(
    "ref", ["civitai:1001", "huggingface:ada/ink@main#a.safetensors", "replicate:maker/x", f"hf:ada/ink@{COMMIT}"]
)
def test_what_names_no_file_is_refused(ref: str) -> None:
    with pytest.raises(UsageError, match="names no"):
        slot(Ref.parse(ref))


@pytest.mark.parametrize(
    ("access", "error"),
    [
        ("login", KeyRequired),
        ("gated", Gated),
        ("paid", Paid),
        ("generation-only", DownloadsDisabled),
        ("archived", DownloadsDisabled),
        ("removed", DownloadsDisabled),
    ],
)
def test_what_only_a_key_opens_is_refused_rather_than_the_key_sent(access: Access, error: type[HubUiError]) -> None:
    with pytest.raises(error, match=r"Replicate (would need your key|can't fetch it)"):
        slot(Ref.parse("civitai:1001@2001"), access)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("flux.1-dev", "black-forest-labs/flux-dev-lora"),
        ("flux.1-schnell", "black-forest-labs/flux-schnell-lora"),
        (None, "black-forest-labs/flux-dev-lora"),
    ],
)
def test_flux_loras_have_a_runner(base: str | None, name: str) -> None:
    assert runner("flux1", base) == name


@pytest.mark.parametrize(
    ("architecture", "base", "words"),
    [
        ("sdxl", "pony", "run LoRAs for FLUX.1"),
        (None, None, "an unknown base model"),
        ("flux1", "flux.1-kontext", "needs a picture"),
    ],
)
def test_others_have_none(architecture: str | None, base: str | None, words: str) -> None:
    with pytest.raises(DoesNotFit, match=words):
        runner(architecture, base)
