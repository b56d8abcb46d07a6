"""Convert huggingface_hub's ModelInfo and a model card to a Lora. A repo may have dozens of LoRA files."""

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
# Beginnings of the names of other files that trainers save next to the weights.
_NOT_WEIGHTS = ("optimizer", "scheduler", "training_args", "random_states", "rng_state", "scaler", "learned_embeds")
# Folders of whole pipelines and of training checkpoints.
_OTHER_FOLDERS = ("checkpoint-", "text_encoder/", "text_encoder_2/", "vae/", "unet/", "transformer/", "safety_checker/")
# Names of checkpoints from kohya's scripts and ai-toolkit: ink-000010, ink_000002500, ink-step00000500.
_CHECKPOINT = re.compile(r"[-_](?:step|epoch)?[-_]?\d{4,}\.safetensors$", re.IGNORECASE)
_USUAL_NAMES = ("pytorch_lora_weights.safetensors", "lora.safetensors", "adapter_model.safetensors")
# The front matter keys under which authors and trainers write trigger words. Hugging Face itself reads the first.
_WORD_KEYS = ("instance_prompt", "trigger", "trigger_word", "trigger_words", "trigger_phrase")
PICTURES = _WORDING.words["pictures"]
# Tasks that don't prove an adapter of a language model: they make sound, or fit any model.
_OTHER_TASKS = ("any-to-any", "text-to-audio")
_LANGUAGE_LIBRARIES = _WORDING.words["language_libraries"]
_LANGUAGE_BASE = _WORDING.patterns["language_base"]
_FIRST_HEADING = re.compile(r"^#[ \t]+(?P<title>[^\n]{1,200})$", re.MULTILINE)


def lora(info: ModelInfo, web: str, readme: str | None = None) -> Lora:
    """Convert the hub's metadata, and the model card if it was fetched, to a Lora. `web` is the URL of the website."""
    ref = Ref(hub="huggingface", id=info.id)
    front, body = _read_card(info, readme or "")
    tags = texts(info.tags) or texts(front.get("tags"))
    # The example prompts and images in the card, or the hub's copy of them if the card was not fetched.
    widget = tables(front.get("widget")) or tables(info.widget_data)
    prompts = [prompt for item in widget if (prompt := _prompt(item))]
    weights = [sibling for sibling in info.siblings or [] if _is_weights(sibling.rfilename)]
    short_texts = [(info.id, "repo name"), *_short_texts(front, tags, prompts, weights)]
    mature = content.mature_claims(tags, short_texts, body)
    level = content.level_of(mature)
    updated = f"{info.last_modified:%Y-%m-%dT%H:%M:%S}Z" if info.last_modified else None
    file_claims, rest = split_by_file(card.lines(body), "card", [sibling.rfilename for sibling in weights])
    access, note, access_field = access_of(info.gated, info.disabled, front)
    commit = text(info.sha) or ""
    version = Version(
        ref=ref.at(commit),
        name=commit[:8],
        updated_at=updated,
        access=access,
        access_note=note,
        files=_files(ref.at(commit), weights, file_claims),
        examples=tuple(_examples(widget, f"{web}/{info.id}/resolve/{commit}/", level)),
    )
    bases = card.base_model_claims(front, info.base_models, tags, rest, info.id)
    words = _claims(info.id, front, rest, tags, prompts, files=len(weights))
    stated = [*bases, *_language_claims(info, tags, bases), *words]
    if access_field:
        stated.append(Claim(field="access", value=access, source="hub", where=access_field))
    minor = minors.minor_claims(level, short_texts, body, claims=[*stated, *chain.from_iterable(file_claims.values())])
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
        claims=(*stated, *mature, *minor),
    )


def _short_texts(
    front: Table, tags: Iterable[str], prompts: Iterable[str], weights: Iterable[RepoSibling]
) -> Iterator[tuple[str, str]]:
    yield from ((word, f"card front matter: {key}") for key in _WORD_KEYS for word in texts(front.get(key)))
    yield from ((prompt, "card front matter: widget") for prompt in prompts)
    yield from ((tag, "tags") for tag in tags)
    yield from ((sibling.rfilename, "file name") for sibling in weights)


def access_of(gated: object, disabled: object, front: Table) -> tuple[Access, str | None, str | None]:
    """Return the access, a note on why a file can't be downloaded, and the field that proves it, if there is one.

    `gated` is False, "auto", "manual", or None if only the card is known. The front matter of a gated card describes
    the form in which visitors request access.
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
    """Return a claim that the repo is not a LoRA for images, if its task proves it.

    If the task is unspecific and no architecture is known, the library or the name of the base model is proof as well.
    """
    task, library = text(info.pipeline_tag), text(info.library_name)
    labels = {task, library, *(tag.casefold() for tag in tags)}
    if not labels.isdisjoint(PICTURES):
        return ()
    where = f"pipeline_tag: {task}" if task and task not in _OTHER_TASKS else None
    if where is None and not any(claim.field == "architecture" for claim in bases):
        libraries = (f"tags: {name}" for name in _LANGUAGE_LIBRARIES if name in labels)
        base_names = (str(claim.value) for claim in bases if claim.field == "raw_base_model")
        language_bases = (f"base_model: {name}" for name in base_names if _LANGUAGE_BASE.search(name))
        where = next(chain(libraries, language_bases), None)
    return (Claim(field="is_lora", value=False, source="hub", where=where),) if where else ()


def _read_card(info: ModelInfo, readme: str) -> tuple[Table, str]:
    """Return the front matter and the text of the card. The hub's parsed front matter is preferred."""
    front, body = card.split_card(readme)
    # huggingface_hub does not parse card_data if it is not a JSON object.
    card_data: object = info.card_data
    if isinstance(card_data, ModelCardData):
        front = table(card_data.to_dict()) or front  # type: ignore[no-untyped-call]
    return front, body


def _claims(
    repo: str, front: Table, body: str, tags: tuple[str, ...], prompts: list[str], *, files: int
) -> tuple[Claim, ...]:
    """Return claims about trigger words, weight, kind and licence. `body` is the card without the notes on one file."""
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
    """Return the weight files. A ref without a file means the primary one, which is never a pickle."""
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
    """Return a sort key that prefers usual names, then final weights, names with "lora", and the top folder."""
    is_usual, is_checkpoint = path.rpartition("/")[2] in _USUAL_NAMES, _CHECKPOINT.search(path) is not None
    is_other, has_lora = path.startswith(_OTHER_FOLDERS), "lora" in path.lower()
    return is_other, not is_usual, is_checkpoint, not has_lora, path.count("/"), path


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
    prompt = text(item.get("text"), 20_000)
    # The hub's uploader writes '-' if the author gave no prompt.
    return prompt if prompt not in (None, "-") else None
