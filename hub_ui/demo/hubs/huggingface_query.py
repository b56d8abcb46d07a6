"""What the Hugging Face Hub makes of the parameters of `/api/models`: every filter that huggingface_hub sends."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.datastructures import QueryParams

from hub_ui.demo.hubs.huggingface_store import Repo

# The Hub sorts downwards only.
SORTS = ("createdAt", "downloads", "lastModified", "likes", "trendingScore")
EXPANDED = frozenset({
    "author", "baseModels", "cardData", "childrenModelCount", "config", "createdAt", "disabled", "downloads",
    "downloadsAllTime", "evalResults", "gated", "gguf", "inference", "inferenceProviderMapping", "lastModified",
    "library_name", "likes", "mask_token", "model-index", "pipeline_tag", "private", "resourceGroup", "safetensors",
    "sha", "siblings", "spaces", "tags", "transformersInfo", "trendingScore", "usedStorage", "widgetData",
})  # fmt: skip
_TRUE = ("true", "1", "True")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_BOUND = re.compile(r"(min|max):(\d{1,15}(?:\.\d{1,15})?)([KMBT]?)")


def problem(query: QueryParams) -> str | None:
    """What the Hub refuses, rather than to answer with a list of something else."""
    if query.get("sort", SORTS[0]) not in SORTS:
        return f"Invalid sort parameter: {query['sort']}"
    unknown = [name for name in query.getlist("expand") if name not in EXPANDED]
    if unknown:
        return f"Invalid expand parameter: {unknown[0]}"
    if query.get("gated", "true").lower() not in ("true", "false", "1", "0", "auto", "manual"):
        return f"Invalid gated parameter: {query['gated']}"
    if "num_parameters" in query and _bounds(query["num_parameters"]) is None:
        return f"Invalid num_parameters parameter: {query['num_parameters']}"
    return None


def matches(repo: Repo, query: QueryParams) -> bool:
    """Different filters are ANDed. Of the repeatable ones `filter` is ANDed too, and the others ORed."""
    if repo.access == "removed" and not repo.is_ghost:
        return False
    return all(holds(repo, query.getlist(name)) for name, holds in _FILTERS.items() if name in query)


def sort_key(query: QueryParams) -> Callable[[Repo], Any]:
    """The key that puts the highest first, by `trendingScore` unless told."""
    field = query.get("sort", "trendingScore")

    def key(repo: Repo) -> tuple[float, str]:
        value = repo.info.get(field)
        if isinstance(value, str):
            value = datetime.fromisoformat(value).timestamp()
        return (-(value or 0), repo.id)

    return key


def _has_tags(repo: Repo, values: Sequence[str]) -> bool:
    """Task and library count as tags, whether or not they are among them."""
    known = [*repo.info.get("tags", []), repo.info.get("pipeline_tag"), repo.info.get("library_name")]
    tags = {str(tag).lower() for tag in known if tag}
    return all(part.lower() in tags for value in values for part in value.split(",") if part)


def _is_named(repo: Repo, values: Sequence[str]) -> bool:
    """The search reads the id only."""
    return all(word in repo.id.lower() for word in values[-1].lower().split())


def _is_gated(repo: Repo, values: Sequence[str]) -> bool:
    wanted = values[-1]
    if wanted in ("auto", "manual"):
        return bool((repo.info.get("gated") or ("manual" if repo.gated else False)) == wanted)
    return repo.gated == (wanted.lower() in _TRUE)


def _runs_in(repo: Repo, values: Sequence[str]) -> bool:
    """Of the apps that the Hub knows, these open LoRAs. Source: huggingface.js, packages/tasks/src/local-apps.ts."""
    is_picture, is_lora = repo.info.get("pipeline_tag") == "text-to-image", "lora" in repo.info.get("tags", [])
    apps = {"diffusionbee": is_picture, "drawthings": is_picture or is_lora, "jellybox": is_picture or is_lora}
    return repo.info.get("library_name") == "diffusers" and any(apps.get(name, False) for name in values)


def _providers(repo: Repo) -> set[str]:
    """Who serves it now. The mapping is an object by provider for one model, and a list in lists."""
    mapping = repo.info.get("inferenceProviderMapping") or {}
    entries = mapping.items() if isinstance(mapping, dict) else ((each.get("provider"), each) for each in mapping)
    return {str(name) for name, entry in entries if entry.get("status") == "live"}


def _is_served_by(repo: Repo, values: Sequence[str]) -> bool:
    providers = _providers(repo)
    return bool(providers) if "all" in values else not providers.isdisjoint(values)


def _has_size(repo: Repo, values: Sequence[str]) -> bool:
    total = (repo.info.get("safetensors") or {}).get("total")
    bounds = _bounds(values[-1])
    return bounds is not None and total is not None and bounds[0] <= total <= bounds[1]


def _bounds(text: str) -> tuple[float, float] | None:
    """`min:6B,max:128B` -> (6e9, 128e9)."""
    found = {"min": 0.0, "max": float("inf")}
    for part in text.split(","):
        match = _BOUND.fullmatch(part)
        if match is None:
            return None
        found[match[1]] = float(match[2]) * _UNITS[match[3]]
    return found["min"], found["max"]


_FILTERS: Mapping[str, Callable[[Repo, Sequence[str]], bool]] = {
    "filter": _has_tags,
    "search": _is_named,
    "author": lambda repo, values: values[-1].lower() == repo.author.lower(),
    "pipeline_tag": lambda repo, values: repo.info.get("pipeline_tag") == values[-1],
    "gated": _is_gated,
    "apps": _runs_in,
    "inference": lambda repo, values: values[-1] == "warm" and bool(_providers(repo)),
    "inference_provider": _is_served_by,
    "num_parameters": _has_size,
}
