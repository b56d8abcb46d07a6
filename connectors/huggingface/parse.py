"""huggingface_hub's ModelInfo and a model card to a Lora. One repo may have dozens of LoRA files."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from urllib.parse import quote, urljoin

from huggingface_hub import ModelCardData, ModelInfo
from huggingface_hub.hf_api import RepoSibling

from connectors.claims import card, content, license, minors, read_wording, trigger_words
from connectors.claims.card import disagrees, split_by_file
from connectors.claims.resolve import best
from connectors.claims.trigger_words import card_claims, claims_of
from connectors.http.json_fields import Table, count, sha256, table, tables, text, texts
from connectors.record import Access, Claim, Example, Lora, Nsfw, Version, WeightFile
from connectors.ref import Ref, is_path

_WORDING = read_wording("huggingface")

_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
# What trainers leave beside the weights.
_NOT_WEIGHTS = ("optimizer", "scheduler", "training_args", "random_states", "rng_state", "scaler", "learned_embeds")
# Folders of whole pipelines and of a training run's intermediate states.
_OTHER_FOLDERS = ("checkpoint-", "text_encoder/", "text_encoder_2/", "vae/", "unet/", "transformer/", "safety_checker/")
# As kohya's scripts and ai-toolkit number what they save before the end: ink-000010, ink_000002500, ink-step00000500.
_ON_THE_WAY = re.compile(r"[-_](?:step|epoch)?[-_]?\d{4,}\.safetensors$", re.IGNORECASE)
_USUAL_NAMES = ("pytorch_lora_weights.safetensors", "lora.safetensors", "adapter_model.safetensors")
# Under these, cards and trainers keep trigger words; the first is the one that Hugging Face itself reads.
_WORD_KEYS = ("instance_prompt", "trigger", "trigger_word", "trigger_words", "trigger_phrase")
PICTURES = _WORDING.words["pictures"]
# Of adapters that make something else than text, or of any model.
_OTHER_TASKS = ("any-to-any", "text-to-audio")
_LANGUAGE_LIBRARIES = _WORDING.words["language_libraries"]
_LANGUAGE_BASE = _WORDING.patterns["language_base"]
_FIRST_HEADING = re.compile(r"^#[ \t]+(?P<title>[^\n]{1,200})$", re.MULTILINE)


def lora(info: ModelInfo, web: str, readme: str | None = None) -> Lora:
    """From the hub's answer, and the text of the model card if it was fetched."""
    ref = Ref(hub="huggingface", id=info.id)
    front, body = _read_card(info, readme or "")
    tags = texts(info.tags) or texts(front.get("tags"))
    # The card's example prompts and images, or the hub's copy of them if the card wasn't fetched.
    widget = tables(front.get("widget")) or tables(info.widget_data)
    prompts = [prompt for item in widget if (prompt := _prompt(item))]
    weights = [sibling for sibling in info.siblings or [] if _is_weights(sibling.rfilename)]
    said = [(info.id, "repo name"), *_short_texts(front, tags, prompts, weights)]
    mature = content.mature_claims(tags, said, body)
    level = content.level_of(mature)
    updated = f"{info.last_modified:%Y-%m-%dT%H:%M:%S}Z" if info.last_modified else None
    of_files, rest = split_by_file(card.lines(body), "card", [sibling.rfilename for sibling in weights])
    access, note, said_by = access_of(info.gated, info.disabled, front)
    commit = text(info.sha) or ""
    version = Version(
        ref=ref.at(commit),
        name=commit[:8],
        updated_at=updated,
        access=access,
        access_note=note,
        files=_files(ref.at(commit), weights, of_files),
        examples=tuple(_examples(widget, f"{web}/{info.id}/resolve/{commit}/", level)),
    )
    bases = card.base_model_claims(front, info.base_models, tags, rest, info.id)
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
        updated_at=updated,
        tags=tags,
        access=access,
        private=info.private is True,
        versions=(version,) if version.ref.is_pinned else (),
        claims=(
            *bases,
            *_language_claims(info, tags, bases),
            *_claims(info.id, front, rest, tags, prompts, files=len(weights)),
            *((Claim(field="access", value=access, source="hub", where=said_by),) if said_by else ()),
            *(*mature, *minors.minor_claims(level, said, body)),
        ),
    )


def _short_texts(
    front: Table, tags: Iterable[str], prompts: Iterable[str], weights: Iterable[RepoSibling]
) -> Iterator[tuple[str, str]]:
    """Yield the author's short texts, each with its place."""
    yield from ((word, f"card front matter: {key}") for key in _WORD_KEYS for word in texts(front.get(key)))
    yield from ((prompt, "card front matter: widget") for prompt in prompts)
    yield from ((tag, "tags") for tag in tags)
    yield from ((sibling.rfilename, "file name") for sibling in weights)


def access_of(gated: object, disabled: object, front: Table) -> tuple[Access, str | None, str | None]:
    """The access, why a file can't be downloaded, and the field that says so, if there is one.

    `gated` is false, "auto" or "manual"; None where only the card is known, which describes the form of its gate.
    """
    if disabled is True:
        return "removed", "Hugging Face took it down.", "disabled"
    if gated == "auto":
        return "gated", "Access comes with agreeing to its terms, on the repo's own page.", "gated"
    form = next((str(key) for key in front if str(key).startswith("extra_gated_")), None)
    if gated or (gated is None and form):
        note = "The author grants access one by one, on the repo's own page."
        return "gated", note, "gated" if gated else f"card front matter: {form}"
    return "open", None, "gated" if gated is False else None


def _language_claims(info: ModelInfo, tags: Iterable[str], bases: Iterable[Claim]) -> tuple[Claim, ...]:
    """That it is no LoRA for images, by its task; where that says nothing and no base is known, by library or base."""
    task, library = text(info.pipeline_tag), text(info.library_name)
    named = {task, library, *(tag.casefold() for tag in tags)}
    if not named.isdisjoint(PICTURES):
        return ()
    where = f"pipeline_tag: {task}" if task and task not in _OTHER_TASKS else None
    if where is None and not any(claim.field == "architecture" for claim in bases):
        libraries = (f"tags: {name}" for name in _LANGUAGE_LIBRARIES if name in named)
        raw = (str(claim.value) for claim in bases if claim.field == "raw_base_model")
        where = next(chain(libraries, (f"base_model: {name}" for name in raw if _LANGUAGE_BASE.search(name))), None)
    return (Claim(field="is_lora", value=False, source="hub", where=where),) if where else ()


def _read_card(info: ModelInfo, readme: str) -> tuple[Table, str]:
    """The card's front matter, or the hub's copy of it, and its text."""
    front, body = card.split_card(readme)
    # It is no ModelCardData where huggingface_hub can't parse the front matter.
    card_data: object = info.card_data
    if isinstance(card_data, ModelCardData):
        front = table(card_data.to_dict()) or front  # type: ignore[no-untyped-call]
    return front, body


def _claims(
    repo: str, front: Table, body: str, tags: tuple[str, ...], prompts: list[str], *, files: int
) -> tuple[Claim, ...]:
    """Claims about trigger words, weight, kind and licence. `body` is the card without what it says of single files."""
    words = (
        *(
            claim
            for key in _WORD_KEYS
            for claim in claims_of(trigger_words.split(*texts(front.get(key))), "card", f"card front matter: {key}")
        ),
        *(() if disagrees(body, files) else card_claims(body, "card")),
        *trigger_words.shared_claims(prompts, "card front matter: widget"),
    )
    chosen = best(words, "trigger_words") or ()
    heading = _FIRST_HEADING.search(body)
    titles = f"{repo.rpartition('/')[2].replace('-', ' ')}. {heading['title'] if heading else ''}"
    return (
        *words,
        *card.scale_claims(body, "card"),
        *content.kind_claims(tags, "tags", titles, "repo name and first heading"),
        *content.word_claims(chosen),
        *content.prompt_claims(prompts, chosen, "card front matter: widget"),
        *license.huggingface_claims(front, tags),
    )


def _is_weights(path: object) -> bool:
    if not isinstance(path, str):
        return False
    name = path.rpartition("/")[2].lower()
    return is_path(path) and name.endswith((".safetensors", *_PICKLES)) and not name.startswith(_NOT_WEIGHTS)


def _files(version: Ref, listed: list[RepoSibling], claims: Mapping[str, tuple[Claim, ...]]) -> tuple[WeightFile, ...]:
    """The primary file, which a person means who names only the repo, is never a pickle."""
    safe = (sibling.rfilename for sibling in listed if sibling.rfilename.endswith(".safetensors"))
    primary = min(safe, key=_sort_key, default=None)
    files = []
    for sibling in listed:
        name = sibling.rfilename.rpartition("/")[2]
        pickle = name.lower().endswith(_PICKLES)
        files.append(
            WeightFile(
                ref=version.at(version.version, sibling.rfilename),
                name=name,
                size=count(sibling.size),
                sha256=sha256(sibling.lfs.sha256) if sibling.lfs else None,
                format="pickle" if pickle else "safetensors",
                primary=sibling.rfilename == primary,
                claims=claims.get(name.casefold(), ()),
            )
        )
    return tuple(files)


def _sort_key(path: str) -> tuple[bool, bool, bool, bool, int, str]:
    """Usual names first, then what no training saved on its way, names with "lora", and files in the top folder."""
    usual, saved = path.rpartition("/")[2] in _USUAL_NAMES, _ON_THE_WAY.search(path) is not None
    return path.startswith(_OTHER_FOLDERS), not usual, saved, "lora" not in path.lower(), path.count("/"), path


def _examples(widget: Iterable[Table], base: str, level: Nsfw | None) -> Iterable[Example]:
    for item in widget:
        path = text(table(item.get("output")).get("url"), 2000)
        if path is None:
            continue
        is_address = path.startswith(("https://", "http://"))
        url = path if is_address else urljoin(base, quote(path.lstrip("/")))
        if is_address or url.startswith(base):
            video = url.lower().endswith((".mp4", ".webm", ".mov"))
            yield Example(url=url, prompt=_prompt(item), nsfw=level, video=video)


def _prompt(item: Table) -> str | None:
    """The uploader's template writes '-' where an author gave none."""
    prompt = text(item.get("text"), 20_000)
    return prompt if prompt not in (None, "-") else None
