"""A base model from a repo or a folder to a pipeline in memory. Only safetensors are fetched and loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    IncompleteSnapshotError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from connectors.errors import Gated, HubDown, HubUiError, KeyRequired, NoBase
from hub_ui.preview.bases import PACKAGED, BaseChoice
from hub_ui.preview.device import Device, place

# The checker is left out: it is a gigabyte, and rates what a person asked to see on their own machine.
_LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")
_TEXTS = (".json", ".txt", ".model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where base models are fetched from. The token goes to this endpoint only."""

    endpoint: str
    token: str | None
    cache: Path | None


def folder_of(choice: BaseChoice, source: Source, on_bytes: Callable[[int], None]) -> Path:
    """The base's files on this disk, fetched first if need be."""
    if Path(choice.source).is_dir():
        return Path(choice.source)
    if choice.source == str(PACKAGED):
        raise NoBase("The tiny base model is not part of this installation. Install hub-ui from its wheel.")
    try:
        files = _wanted(_listed(choice, source))
        return _snapshot(choice, source, files, on_bytes)
    except (HfHubHTTPError, EntryNotFoundError, OfflineModeIsEnabled, httpx2.HTTPError) as error:
        return _cached(choice, source, error)


def _listed(choice: BaseChoice, source: Source) -> list[str]:
    api = HfApi(endpoint=source.endpoint, token=source.token or False)
    return [sibling.rfilename for sibling in api.model_info(choice.source).siblings or []]


def _snapshot(choice: BaseChoice, source: Source, files: list[str], on_bytes: Callable[[int], None]) -> Path:
    class Bar(tqdm):
        """Tells bytes instead of drawing; huggingface_hub has a second bar that counts files."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            on_bytes(int(n or 0) if self._counts_bytes else 0)
            return None

    return Path(
        snapshot_download(
            choice.source,
            endpoint=source.endpoint,
            token=source.token or False,
            cache_dir=source.cache,
            allow_patterns=files,
            tqdm_class=Bar,
        )
    )


def _cached(choice: BaseChoice, source: Source, error: Exception) -> Path:
    """A base fetched before serves while the hub can't be reached."""
    try:
        folder = Path(snapshot_download(choice.source, cache_dir=source.cache, local_files_only=True))
    # Files of the repository that were left out on purpose count as missing.
    except IncompleteSnapshotError as partial:
        folder = Path(partial.snapshot_path)
    except (EntryNotFoundError, OSError) as missing:
        raise _ours(choice, error) from missing
    if not _has_parts(folder):
        raise _ours(choice, error) from error
    return folder


def _has_parts(folder: Path) -> bool:
    index = folder / "model_index.json"
    if not index.is_file():
        return False
    parts = json.loads(index.read_text(encoding="utf-8"))
    named = (name for name, kind in parts.items() if isinstance(kind, list) and kind[0] and name not in _LEFT_OUT)
    return all((folder / name).is_dir() for name in named)


def _ours(choice: BaseChoice, error: Exception) -> HubUiError:
    page = f"https://huggingface.co/{choice.source}"
    if isinstance(error, GatedRepoError) or (choice.gated and isinstance(error, RepositoryNotFoundError)):
        return Gated(
            f"{choice.label} is given out after you agree to its licence: open {page}, agree, and set HF_TOKEN to a "
            "key of yours.",
            hub="huggingface",
        )
    if isinstance(error, RepositoryNotFoundError):
        return NoBase(f"There is no base model {choice.source} on Hugging Face, or not for you. Choose another base.")
    if isinstance(error, HfHubHTTPError) and error.response is not None and error.response.status_code in (401, 403):
        return KeyRequired(f"Hugging Face wants a key for {choice.label}. Add one, or check it.", hub="huggingface")
    return HubDown(f"{choice.label} could not be fetched: Hugging Face can't be reached. Try again.", hub="huggingface")


def _wanted(files: Iterable[str]) -> list[str]:
    """Texts of the parts, and each part's weights once: half precision where the repo has it, and no pickles."""
    parts: dict[str, list[str]] = {}
    texts: list[str] = []
    for name in files:
        path = PurePosixPath(name)
        if path.parts[0] in _LEFT_OUT or len(path.parts) > 2:
            continue
        if path.suffix in _TEXTS and (len(path.parts) == 2 or name == "model_index.json"):
            texts.append(name)
        elif path.suffix == ".safetensors" and len(path.parts) == 2:
            parts.setdefault(path.parts[0], []).append(name)
    if "model_index.json" not in texts or not parts:
        raise NoBase(
            "The repository holds no model in diffusers' layout with safetensors weights. Choose another base."
        )
    return sorted([*texts, *(name for names in parts.values() for name in _half(names))])


def _half(names: list[str]) -> list[str]:
    plain = [name for name in names if ".non_ema." not in name]
    return [name for name in plain if ".fp16" in name] or [name for name in plain if ".fp" not in name] or plain


def pipeline(choice: BaseChoice, folder: Path, device: Device) -> Any:
    """The base in memory and in place. Raises NoBase when diffusers can't make a pipeline of the files."""
    import torch

    diffusers = _quiet_diffusers()
    kind = getattr(diffusers, choice.pipeline, None)
    if kind is None:
        raise NoBase(f"{choice.label} needs a newer diffusers ({choice.pipeline}). Update it: pip install -U diffusers")
    try:
        pipe = kind.from_pretrained(folder, **_options(folder, getattr(torch, device.dtype)))
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise NoBase(f"{choice.label} can't be loaded from its files ({reason}). Choose another base.") from error
    if choice.scheduler is not None:
        pipe.scheduler = _scheduler(getattr(diffusers, choice.scheduler))
    pipe.set_progress_bar_config(disable=True)
    place(pipe, device, choice)
    return pipe


def _quiet_diffusers() -> Any:
    """Progress bars on stderr and advice for programmers would end up between the lines of our own commands."""
    from transformers.utils import logging

    of_transformers: Any = logging  # untyped
    of_transformers.set_verbosity_error()
    of_transformers.disable_progress_bar()
    import diffusers
    from diffusers.utils import logging as of_diffusers

    of_diffusers.disable_progress_bar()
    return diffusers


def _dtype_option() -> str:
    """`torch_dtype` was renamed, and warns since."""
    import diffusers

    major, minor = diffusers.__version__.split(".")[:2]
    return "dtype" if (int(major), int(minor)) >= (0, 42) else "torch_dtype"


def _options(folder: Path, dtype: Any) -> dict[str, Any]:
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    options: dict[str, Any] = {_dtype_option(): dtype, "use_safetensors": True, "local_files_only": True}
    if any(".fp16" in path.name for path in folder.glob("*/*.safetensors")):
        options["variant"] = "fp16"
    # Parts that were not fetched are named in the index all the same; None keeps diffusers from looking for them.
    options |= {name: None for name in _LEFT_OUT if name in index}
    if "requires_safety_checker" in index or "safety_checker" in index:
        options["requires_safety_checker"] = False
    return options


def _scheduler(kind: Any) -> Any:
    """With the noise schedule all of SDXL was trained on."""
    return kind(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        timestep_spacing="leading",
        steps_offset=1,
    )
