"""huggingface_hub's ModelInfo, and a model card -> Lora. One repo may hold dozens of LoRA files."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, urljoin

from huggingface_hub import ModelInfo
from huggingface_hub.hf_api import RepoSibling

from connectors import card
from connectors.facts import base_models, kind, levels, license, trigger_words
from connectors.record import Claim, Example, FileFormat, Lora, Nsfw, Version, WeightFile
from connectors.ref import PINNED, Ref, is_path
from connectors.wire import Table, count, sha256, table, tables, text, texts

_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
# What trainers leave beside the weights.
_NOT_WEIGHTS = ("optimizer", "scheduler", "training_args", "random_states", "rng_state", "scaler", "learned_embeds")
# Folders of whole pipelines and of a training run's intermediate states.
_ELSEWHERE = ("checkpoint-", "text_encoder/", "text_encoder_2/", "vae/", "unet/", "transformer/", "safety_checker/")
_USUAL_NAMES = ("pytorch_lora_weights.safetensors", "lora.safetensors", "adapter_model.safetensors")


def lora(info: ModelInfo, web: str, readme: str | None = None) -> Lora:
    """From the hub's answer, and the text of its card where it was fetched."""
    ref = Ref(hub="huggingface", id=info.id)
    front, body = card.split(readme or "")
    front = _front(info) or front
    tags = texts(info.tags) or texts(front.get("tags"))
    level = levels.huggingface_level(tags)
    updated = info.last_modified
    version = _version(ref, info, front, web, level, tags)
    return Lora(
        ref=ref,
        title=info.id.rpartition("/")[2],
        url=f"{web}/{info.id}",
        creator=text(info.author) or info.id.partition("/")[0] or None,
        description=body.strip() or text(front.get("description")) or "",
        description_format="markdown",
        nsfw=level,
        downloads=count(info.downloads),
        likes=count(info.likes),
        updated_at=f"{updated:%Y-%m-%dT%H:%M:%S}Z" if updated else None,
        tags=tags,
        access="gated" if info.gated else "open",
        versions=(version,) if version else (),
        claims=_claims(info.id, front, body, tags),
    )


def _front(info: ModelInfo) -> Table:
    card_data = info.card_data
    return table(card_data.to_dict()) if card_data is not None else {}  # type: ignore[no-untyped-call]


def _claims(repo: str, front: Table, body: str, tags: tuple[str, ...]) -> tuple[Claim, ...]:
    prompts = [prompt for item in tables(front.get("widget")) if (prompt := _prompt(item))]
    return (
        *_base_claims(front, tags),
        *trigger_words.listed_claims(texts(front.get("instance_prompt")), "card front matter: instance_prompt"),
        *trigger_words.listed_claims(texts(front.get("trigger")), "card front matter: trigger"),
        *trigger_words.card_claims(body, "card"),
        *trigger_words.shared_claims(prompts, "card front matter: widget"),
        *trigger_words.scale_claims(body, "card"),
        *kind.kind_claims(tags, "tags", repo.rpartition("/")[2].replace("-", " "), "repo name"),
        *license.huggingface_claims(front, tags),
    )


def _base_claims(front: Table, tags: Iterable[str]) -> tuple[Claim, ...]:
    """The card's `base_model`: a repo, a list of them, or a plain name. Of several, the first that is known leads."""
    written = [name[:200] for name in texts(front.get("base_model"))][:20]
    known = sorted(written, key=lambda name: base_models.identify(name) is None)
    claims = [
        claim for name in known for claim in base_models.base_claims(name, "card", "card front matter: base_model")
    ]
    for tag in tags:
        name = tag.removeprefix("base_model:")
        relation, _, repo = name.partition(":")
        if tag.startswith("base_model:") and "/" in (repo or name):
            claims.extend(base_models.base_claims(repo or relation, "tag", f"tags: {tag}"))
    return tuple(claims)


def _version(ref: Ref, info: ModelInfo, front: Table, web: str, level: Nsfw, tags: tuple[str, ...]) -> Version | None:
    commit = text(info.sha)
    if commit is None or not PINNED["huggingface"].fullmatch(commit):
        return None
    here = ref.at(commit)
    updated = info.last_modified
    return Version(
        ref=here,
        name=commit[:8],
        updated_at=f"{updated:%Y-%m-%dT%H:%M:%S}Z" if updated else None,
        access="gated" if info.gated else "open",
        access_note="The author grants access one by one, on the repo's own page." if info.gated else None,
        files=_files(here, info.siblings or []),
        examples=tuple(_examples(front, f"{web}/{info.id}/resolve/{commit}/", level)),
    )


def _files(version: Ref, siblings: Iterable[RepoSibling]) -> tuple[WeightFile, ...]:
    listed = [sibling for sibling in siblings if _is_weights(sibling.rfilename)]
    first = _primary([sibling.rfilename for sibling in listed])
    return tuple(_file(version, sibling, primary=sibling.rfilename == first) for sibling in listed)


def _is_weights(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return is_path(path) and name.endswith((".safetensors", *_PICKLES)) and not name.startswith(_NOT_WEIGHTS)


def _primary(paths: list[str]) -> str | None:
    """The file meant by a person who names only the repo: never a pickle, then the usual names, the top folder."""
    safe = [path for path in paths if path.endswith(".safetensors")]
    return min(safe, key=_rank, default=None)


def _rank(path: str) -> tuple[bool, bool, bool, int, str]:
    usual = path.rpartition("/")[2] in _USUAL_NAMES
    return path.startswith(_ELSEWHERE), not usual, "lora" not in path.lower(), path.count("/"), path


def _file(version: Ref, sibling: RepoSibling, *, primary: bool) -> WeightFile:
    suffix = "." + sibling.rfilename.rpartition(".")[2].lower()
    form: FileFormat = "pickle" if suffix in _PICKLES else "safetensors"
    lfs = sibling.lfs
    return WeightFile(
        ref=version.at(version.version, sibling.rfilename),
        name=sibling.rfilename.rpartition("/")[2],
        size=count(sibling.size),
        sha256=sha256(lfs.sha256) if lfs else None,
        format=form,
        primary=primary,
    )


def _examples(front: Table, base: str, level: Nsfw) -> Iterable[Example]:
    for item in tables(front.get("widget")):
        path = text(table(item.get("output")).get("url"), 2000)
        if path is None:
            continue
        url = path if path.startswith(("https://", "http://")) else urljoin(base, quote(path.lstrip("/")))
        video = url.lower().endswith((".mp4", ".webm", ".mov"))
        if url.startswith(base) or path.startswith(("https://", "http://")):
            yield Example(url=url, prompt=_prompt(item), nsfw=level, video=video)


def _prompt(item: Table) -> str | None:
    """The uploader's template writes '-' where an author gave none."""
    prompt = text(item.get("text"), 20_000)
    return prompt if prompt not in (None, "-") else None
