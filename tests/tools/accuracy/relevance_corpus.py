"""The LoRAs of the recorded answers and of the samples, as the connectors read them: what the judged list is about."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from huggingface_hub import ModelInfo

from connectors.civitai import parse as civitai
from connectors.connector import filter_loras
from connectors.huggingface import parse as huggingface
from connectors.query import Query
from connectors.record import Lora
from connectors.replicate import parse as replicate
from hub_ui.demo.hubs.folder import SAMPLES, DataFolder, Origins
from hub_ui.demo.hubs.huggingface_store import CARD, Repo, load_huggingface
from tests.corpus import RESPONSES

# Repositories of which a name and a file are known: OWNER/NAME, FILE.
_NAMED = "hf_lora_models_with_safetensors.txt"
_ORIGINS = Origins(
    huggingface="https://huggingface.co",
    civitai="https://civitai.com",
    replicate="https://api.replicate.com",
    delivery="https://delivery.invalid",
)
# When the samples were written: their dates stay as they are.
_TODAY = date(2026, 9, 1)
_NOW = datetime(2026, 9, 1, tzinfo=UTC)
_COMMIT = "5" * 40


@cache
def loras() -> tuple[Lora, ...]:
    """Each ref once, without what is no LoRA. Empty without the recordings."""
    if not RESPONSES.is_dir():
        return ()
    recordings, samples = (DataFolder(path=each, origins=_ORIGINS, today=_TODAY) for each in (RESPONSES, SAMPLES))
    found = [
        *_civitai(recordings),
        *_cards(recordings),
        *_replicate(recordings),
        *_civitai(samples),
        *(_huggingface(repo, repo.info) for repo in load_huggingface(samples).repos.values()),
        *_replicate(samples),
    ]
    once = tuple({lora.ref: lora for lora in reversed(found)}.values())[::-1]
    return tuple(lora for lora in once if filter_loras([lora], Query(nsfw="explicit")))


def _civitai(folder: DataFolder) -> Iterator[Lora]:
    models = (civitai.lora(model, _ORIGINS.civitai, _NOW) for model in folder.objects("civitai_model_*.json"))
    alone = (
        civitai.lora_of_version(version, _ORIGINS.civitai, _NOW)
        for pattern in ("civitai_version_*.json", "civitai_info_sidecar_*.json")
        for version in folder.objects(pattern)
    )
    return (lora for lora in (*models, *alone) if lora is not None)


def _replicate(folder: DataFolder) -> Iterator[Lora]:
    models: list[Any] = list(folder.objects("replicate_model_*.json"))
    for pattern in ("replicate_models_*.json", "replicate_collection_*.json"):
        for page in folder.objects(pattern):
            models += page.get("results") or page.get("models") or []
    found = (replicate.lora(model) for model in models if isinstance(model, dict))
    return (lora for lora in found if lora is not None)


def _cards(folder: DataFolder) -> Iterator[Lora]:
    """Of recorded cards, and of names. Nobody recorded their downloads, likes and dates."""
    lines = (folder.path / _NAMED).read_text(encoding="utf-8").splitlines()
    files = dict(line.split(", ", 1) for line in lines if line)
    # File names of the recordings have no dots.
    names = {name.replace(".", "_"): name for name in files}
    unknown = ("downloads", "likes", "lastModified", "createdAt")
    for name, repo in load_huggingface(folder).repos.items():
        info = {key: value for key, value in repo.info.items() if key not in unknown}
        tags = {str(tag).lower() for tag in info.get("tags", ())}
        if "lora" in tags or "lora" in name.lower():
            given = files.pop(names.get(name, name), None)
            yield _huggingface(repo, {**info, "siblings": _siblings([given] if given else ())})
    for name, file in files.items():
        given_info = {"id": name, "sha": _COMMIT, "tags": ["lora"], "siblings": _siblings([file])}
        yield huggingface.lora(ModelInfo(**given_info), _ORIGINS.huggingface)  # type: ignore[no-untyped-call]


def _siblings(paths: Iterable[str]) -> list[dict[str, str]]:
    return [{"rfilename": path} for path in paths]


def _huggingface(repo: Repo, info: dict[str, Any]) -> Lora:
    card = repo.commits[0].files.get(CARD)
    text = card.content.read(0, card.size).decode("utf-8", "replace") if card and card.content else None
    return huggingface.lora(ModelInfo(**info), _ORIGINS.huggingface, text)  # type: ignore[no-untyped-call]
