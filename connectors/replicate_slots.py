"""How a LoRA of any hub is named to a runner on Replicate (`lora_weights`, `extra_lora`), and which runner that is.

The runners read addresses by patterns (replicate/cog-flux, weights.py), and some that look right mean another thing:

- `civitai.com/models/ID` is downloaded as version ID, so CivitAI is always named by its download address. The mature
  domain civitai.red is known to none of them.
- `huggingface.co/OWNER/NAME/FILE` is whatever the branch `main` has now, and reads no folders. A file's own address
  at a commit is taken as any other address that ends in .safetensors is: it is pinned, and may lie in a folder.
- a key in the address would be written into the run's input, which Replicate keeps. None is ever put there.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from connectors.errors import DoesNotFit, DownloadsDisabled, Gated, HubUiError, KeyRequired, Paid, UsageError
from connectors.record import Access
from connectors.ref import LOCAL, Ref

# The official runners of LoRAs, by base model. They are run by name: Replicate keeps their versions to itself.
RUNNERS: Mapping[str, str] = {
    "flux.1-dev": "black-forest-labs/flux-dev-lora",
    "flux.1-krea": "black-forest-labs/flux-dev-lora",
    "flux.1-schnell": "black-forest-labs/flux-schnell-lora",
}
_USUAL = "black-forest-labs/flux-dev-lora"
_OTHER_INPUTS = ("flux.1-kontext", "flux.1-fill", "flux.1-canny", "flux.1-depth")


def runner(architecture: str | None, base_model: str | None) -> str:
    """The official runner for a LoRA of another hub. Raises DoesNotFit where there is none."""
    if architecture == "flux1" and base_model not in _OTHER_INPUTS:
        return RUNNERS.get(base_model or "", _USUAL)
    if base_model in _OTHER_INPUTS:
        raise DoesNotFit(
            "This LoRA needs a picture to work on, which Replicate's runner for LoRAs does not take. Try it here."
        )
    raise DoesNotFit(
        "On Replicate run LoRAs for FLUX.1, and models that were trained there. This one is for "
        f"{base_model or architecture or 'an unknown base model'}: try it here."
    )


def slot(ref: Ref, access: Access = "open") -> str:
    """The address of a pinned ref's file, for a runner. Refuses what only a key opens: Replicate would get the key."""
    if ref.hub == LOCAL:
        raise UsageError(f"“{ref.id}” is a file of this computer, which Replicate can't fetch. Try it here instead.")
    if not ref.pinned:
        raise UsageError(f"{ref} names no version. Choose one, so that the same file runs there.")
    refused = _refused(access)
    if refused is not None:
        raise refused
    if ref.hub == "civitai":
        chosen = f"&fileId={ref.file}" if ref.file else ""
        return f"https://civitai.com/api/download/models/{ref.version}?type=Model&format=SafeTensor{chosen}"
    if ref.hub == "replicate":
        return f"https://replicate.com/{ref.id}/versions/{ref.version}"
    if not ref.file or not ref.file.endswith(".safetensors"):
        raise UsageError(f"{ref} names no .safetensors file. Choose one of its files.")
    return f"https://huggingface.co/{ref.id}/resolve/{ref.version}/{quote(ref.file)}"


def _refused(access: Access) -> HubUiError | None:
    """A key is sent to its own hub alone, so what needs one can't be fetched from Replicate."""
    if access == "login":
        return KeyRequired(
            "This file is for signed-in people. Replicate would need your key for it: try it here instead."
        )
    if access == "gated":
        return Gated("The author grants access one by one. Replicate would need your key for it: try it here instead.")
    if access == "paid":
        return Paid(
            "This file has to be bought or waited for, so Replicate can't fetch it. Try it here once you have it."
        )
    if access != "open":
        return DownloadsDisabled("This file can't be downloaded, so Replicate can't fetch it either.")
    return None
