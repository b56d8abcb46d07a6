"""What a word on the command line names: a file of this disk, a LoRA of a hub, or a web address."""

from __future__ import annotations

import os
from pathlib import Path

from connectors.errors import BadRef, NotFound, UsageError
from connectors.ref import Ref, is_bare


def meant(text: str) -> Path | Ref | str:
    """A file that is there, else a ref, its web address included, else any other web address, else a file's name.

    Raises BadRef for what is none of these.
    """
    path = Path(text)
    if os.path.exists(text):
        _check_folder(text)
        return path
    try:
        return Ref.parse(text)
    except BadRef:
        if text.lower().startswith(("http://", "https://")):
            return text
        if "://" not in text and (path.suffix or "/" in text or os.sep in text):
            return path
        raise


def lora_of(text: str) -> Path | Ref:
    """What can be tried: a ref, or a file that is there."""
    named = meant(text)
    if isinstance(named, str):
        raise BadRef(f"{text} is no address of a LoRA's page. Download the file, and name it here.")
    if isinstance(named, Path) and not named.is_file():
        if named.is_dir():
            raise UsageError(f"{text} is a folder. Name one of the .safetensors files in it.")
        raise NotFound(f"There is no file {text} here. Check the name, or give a web address or HUB:ID.")
    return named


def ref_of(text: str) -> Ref:
    """What only a ref can name. A path that is there wins over a repo of the same name, and is refused by name."""
    if not os.path.exists(text):
        return Ref.parse(text)
    _check_folder(text)
    raise BadRef(
        f"{text} is on this computer, and a REF is wanted here. hub-ui inspect says what a file is, hub-ui try draws "
        "with it, and hub-ui import enters the files of a folder into the library."
    )


def _check_folder(text: str) -> None:
    if is_bare(text) and os.path.isdir(text):
        raise BadRef(
            f"{text} is a folder here. For the repo of that name on Hugging Face write huggingface:{text}; for a file "
            "in the folder name the file."
        )
