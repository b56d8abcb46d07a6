"""huggingface_hub's ModelInfo, and a model card -> Lora. One repo may hold dozens of LoRA files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, urljoin

from huggingface_hub import ModelCardData, ModelInfo
from huggingface_hub.hf_api import RepoSibling

from connectors.claims import card, kind, license, nsfw, strength, trigger_words
from connectors.claims import card as claims_card
from connectors.claims.availability import Availability, huggingface_availability
from connectors.claims.card import TellingApart, disagrees, tell_apart
from connectors.claims.resolve import best
from connectors.claims.trigger_words import card_claims, prompt_field_claims
from connectors.http.json_fields import Table, count, sha256, table, tables, text, texts
from connectors.record import Claim, Example, FileFormat, Lora, Nsfw, Version, WeightFile
from connectors.ref import PINNED, Ref, is_path

_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
# What trainers leave beside the weights.
_NOT_WEIGHTS = ("optimizer", "scheduler", "training_args", "random_states", "rng_state", "scaler", "learned_embeds")
# Folders of whole pipelines and of a training run's intermediate states.
_ELSEWHERE = ("checkpoint-", "text_encoder/", "text_encoder_2/", "vae/", "unet/", "transformer/", "safety_checker/")
_USUAL_NAMES = ("pytorch_lora_weights.safetensors", "lora.safetensors", "adapter_model.safetensors")
# Under these, cards and trainers keep trigger words; the first is the one that Hugging Face itself reads.
_WORD_KEYS = ("instance_prompt", "trigger", "trigger_word", "trigger_words", "trigger_phrase")
_FIRST_HEADING = re.compile(r"^#[ \t]+(?P<title>[^\n]{1,200})$", re.MULTILINE)


def lora(info: ModelInfo, web: str, readme: str | None = None) -> Lora:
    """From the hub's answer, and the text of its card where it was fetched."""
    ref = Ref(hub="huggingface", id=info.id)
    front, body = card.split_card(readme or "")
    front = _front(info) or front
    tags = texts(info.tags) or texts(front.get("tags"))
    prompts = ((prompt, "card front matter: widget") for item in _widget(info, front) if (prompt := _prompt(item)))
    mature = nsfw.text_claims(tags, ((info.id, "repo name"), *prompts))
    level = nsfw.level_of(mature)
    updated = info.last_modified
    names = [sibling.rfilename.rpartition("/")[2] for sibling in _weights(info)]
    apart = tell_apart(card.lines(body), "card", names)
    standing = huggingface_availability(info.gated, info.disabled, front)
    version = _version(ref, info, front, web, level, apart, standing)
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
        access=standing.access,
        versions=(version,) if version else (),
        claims=(*_claims(info, front, apart.rest, tags), *standing.claims(), *mature),
    )


def _front(info: ModelInfo) -> Table:
    # huggingface_hub passes on as it is what it can't make an object of.
    card_data: object = info.card_data
    return table(card_data.to_dict()) if isinstance(card_data, ModelCardData) else {}  # type: ignore[no-untyped-call]


def _claims(info: ModelInfo, front: Table, body: str, tags: tuple[str, ...]) -> tuple[Claim, ...]:
    prompts = [prompt for item in _widget(info, front) if (prompt := _prompt(item))]
    words = (
        *(
            claim
            for key in _WORD_KEYS
            for claim in prompt_field_claims(texts(front.get(key)), f"card front matter: {key}")
        ),
        *(() if disagrees(body, len(_weights(info))) else card_claims(body, "card")),
        *trigger_words.shared_claims(prompts, "card front matter: widget"),
    )
    chosen = best(words, "trigger_words") or ()
    return (
        *claims_card.base_model_claims(front, info.base_models, tags, body, info.id),
        *words,
        *strength.scale_claims(body, "card"),
        *kind.kind_claims(tags, "tags", _titles(info.id, body), "repo name and first heading"),
        *kind.word_claims(chosen),
        *kind.prompt_claims(prompts, chosen, "card front matter: widget"),
        *license.huggingface_claims(front, tags),
    )


def _titles(repo: str, body: str) -> str:
    heading = _FIRST_HEADING.search(body)
    return f"{repo.rpartition('/')[2].replace('-', ' ')}. {heading['title'] if heading else ''}"


def _widget(info: ModelInfo, front: Table) -> tuple[Table, ...]:
    """The card's example prompts and pictures; the hub's copy of them where the card wasn't asked for."""
    return tables(front.get("widget")) or tables(info.widget_data)


def _version(
    ref: Ref, info: ModelInfo, front: Table, web: str, level: Nsfw | None, apart: TellingApart, standing: Availability
) -> Version | None:
    commit = text(info.sha)
    if commit is None or not PINNED["huggingface"].fullmatch(commit):
        return None
    here = ref.at(commit)
    updated = info.last_modified
    return Version(
        ref=here,
        name=commit[:8],
        updated_at=f"{updated:%Y-%m-%dT%H:%M:%S}Z" if updated else None,
        access=standing.access,
        access_note=standing.note,
        files=_files(here, _weights(info), apart),
        examples=tuple(_examples(_widget(info, front), f"{web}/{info.id}/resolve/{commit}/", level)),
    )


def _weights(info: ModelInfo) -> list[RepoSibling]:
    return [sibling for sibling in info.siblings or [] if _is_weights(sibling.rfilename)]


def _files(version: Ref, listed: list[RepoSibling], apart: TellingApart) -> tuple[WeightFile, ...]:
    first = _primary([sibling.rfilename for sibling in listed])
    return tuple(_file(version, sibling, apart, primary=sibling.rfilename == first) for sibling in listed)


def _is_weights(path: object) -> bool:
    if not isinstance(path, str):
        return False
    name = path.rpartition("/")[2].lower()
    return is_path(path) and name.endswith((".safetensors", *_PICKLES)) and not name.startswith(_NOT_WEIGHTS)


def _primary(paths: list[str]) -> str | None:
    """The file meant by a person who names only the repo: never a pickle, then the usual names, the top folder."""
    safe = [path for path in paths if path.endswith(".safetensors")]
    return min(safe, key=_rank, default=None)


def _rank(path: str) -> tuple[bool, bool, bool, int, str]:
    usual = path.rpartition("/")[2] in _USUAL_NAMES
    return path.startswith(_ELSEWHERE), not usual, "lora" not in path.lower(), path.count("/"), path


def _file(version: Ref, sibling: RepoSibling, apart: TellingApart, *, primary: bool) -> WeightFile:
    suffix = "." + sibling.rfilename.rpartition(".")[2].lower()
    form: FileFormat = "pickle" if suffix in _PICKLES else "safetensors"
    lfs = sibling.lfs
    name = sibling.rfilename.rpartition("/")[2]
    return WeightFile(
        ref=version.at(version.version, sibling.rfilename),
        name=name,
        size=count(sibling.size),
        sha256=sha256(lfs.sha256) if lfs else None,
        format=form,
        primary=primary,
        claims=apart.claims.get(name.casefold(), ()),
    )


def _examples(widget: Iterable[Table], base: str, level: Nsfw | None) -> Iterable[Example]:
    for item in widget:
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
