"""The panel that opens beside the list: what a LoRA is, where each statement comes from, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from connectors.claims.resolve import flatten, record_with_header
from connectors.record import Example, Lora, Nsfw, Record, Version, WeightFile, within
from connectors.ref import Ref
from connectors.registry import origin_label
from connectors.weights.file_type import WORDS
from connectors.weights.inspect import Facts
from hub_ui.widgets import access, description, fact_rows, format
from hub_ui.widgets.access import Keys
from hub_ui.widgets.fact_rows import Fact
from hub_ui.widgets.render import Renderer, address

MAX_PICTURES = 8
MAX_FILES = 40


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A version or a file that can be opened instead of the present one."""

    ref: str
    name: str
    note: str
    current: bool


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture of the hub's. `index` is its place among the record's images, `usable` if settings came with it."""

    index: int
    example: Example
    usable: bool


@dataclass(frozen=True, kw_only=True)
class Detail:
    record: Record
    hub: str
    title: str
    line: str
    link: str
    pictures: tuple[Shot, ...]
    facts: tuple[Fact, ...]
    versions: tuple[Choice, ...]
    files: tuple[Choice, ...]
    text: str
    text_format: Literal["html", "markdown", "text"]
    text_base: str
    obstacle: str
    caution: str
    needs: Needs
    refused: bool
    dispute: str
    state: str
    warnings: tuple[str, ...]
    held: bool
    can_pull: bool

    @property
    def untried(self) -> str:
        """Why it can't be tried with one click; empty when it can."""
        if self.refused or (self.obstacle and not self.held):
            return self.obstacle
        return self.needs.text if self.needs.closed else ""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a preview takes, in a sentence. `closed`: nothing here can make one. `unfit`: not beside others either."""

    text: str = ""
    closed: bool = False
    unfit: bool = False


def detail(
    lora: Lora,
    ref: Ref,
    *,
    ceiling: Nsfw,
    held: Callable[[Ref], bool],
    facts: Facts | None = None,
    state: str = "",
    can_pull: bool = True,
    keys: Keys | None = None,
    needs: Callable[[Record], Needs] = lambda _record: Needs(),
) -> Detail:
    """`ref` picks version and file. `facts` are the file's own; without them `state` says why."""
    version, file = version_and_file(lora, ref)
    record = flatten(lora, version, file)
    if facts is not None:
        record = record_with_header(record, facts.adapter)
    refused = facts is not None and not facts.adapter.is_lora
    standing = access.standing(record, version, keys or Keys())
    return Detail(
        record=record,
        hub=origin_label(record.hub),
        title=format.title(lora.title) or lora.ref.id,
        line=_line(lora, record),
        link=address(lora.url),
        pictures=tuple(_shots(record, ceiling))[:MAX_PICTURES],
        facts=fact_rows.rows(record, facts),
        versions=tuple(_version_choice(v, version) for v in lora.versions),
        files=tuple(_file_choice(f, file) for f in (version.files if version else ())[:MAX_FILES]),
        text=lora.description,
        text_format=lora.description_format,
        text_base=_text_base(lora, version),
        obstacle=refusal(facts) or standing.obstacle,
        caution=standing.caution,
        needs=Needs() if refused else needs(record),
        refused=refused,
        dispute="" if refused else format.visible(" ".join(record.conflict_sentences)),
        state=state or _read(facts),
        warnings=tuple(format.visible(w) for w in facts.adapter.warnings) if facts and not refused else (),
        held=held(record.ref),
        can_pull=can_pull,
    )


def _shots(record: Record, ceiling: Nsfw) -> Iterator[Shot]:
    for index, example in enumerate(record.images):
        if not example.video and within(example.nsfw, ceiling):
            yield Shot(index=index, example=example, usable=bool(example.prompt or example.params))


def _text_base(lora: Lora, version: Version | None) -> str:
    """Where a description's relative addresses lead: a model card's to files beside it, of the same commit."""
    if lora.hub == "huggingface" and version is not None:
        return f"{lora.url}/resolve/{version.ref.version}/"
    return lora.url


def version_and_file(lora: Lora, ref: Ref) -> tuple[Version | None, WeightFile | None]:
    """What `ref` names; the default version, and its main file, where it names none or one that is not there."""
    version = lora.version(ref.version) or lora.version(None)
    return version, (version.find_file(ref) or version.file) if version else None


def refusal(facts: Facts | None) -> str:
    if facts is None or facts.adapter.is_lora:
        return ""
    return f"This is no LoRA for images or videos: the file is {WORDS[facts.adapter.what]}. It can't be tried here."


def _read(facts: Facts | None) -> str:
    if facts is None:
        return ""
    if not facts.bytes_read:
        return "Read from the file's own header, nothing downloaded"
    of = f" of {format.size(facts.size)}" if facts.size else ""
    return f"Read from {format.size(facts.bytes_read)}{of}, nothing downloaded"


def _line(lora: Lora, record: Record) -> str:
    facts = (
        format.title(lora.creator),
        origin_label(lora.hub),
        f"updated {age}" if (age := format.ago(record.updated_at)) else "",
        f"{format.count(lora.downloads)} downloads" if lora.downloads is not None else "",
    )
    return " · ".join(fact for fact in facts if fact)


def _version_choice(version: Version, current: Version | None) -> Choice:
    base = flatten_base(version)
    size = format.size(version.file.size) if version.file else ""
    name = format.visible(version.name)
    return Choice(
        ref=str(version.ref),
        name=name[:7] if version.ref.hub != "civitai" and len(name) >= 40 else name,
        note=" · ".join(part for part in (base, size, format.ago(version.updated_at)) if part),
        current=version is current,
    )


def flatten_base(version: Version) -> str:
    raw = next((c.value for c in version.claims if c.field == "raw_base_model"), None)
    return format.visible(str(raw)) if raw else ""


def _file_choice(file: WeightFile, current: WeightFile | None) -> Choice:
    return Choice(
        ref=str(file.ref),
        name=format.visible(file.name),
        note=format.size(file.size),
        current=current is not None and file.ref == current.ref,
    )


def html(render: Renderer, shown: Detail) -> str:
    picture = partial(render.picture, ref=shown.record.ref)
    said = description.html(shown.text, shown.text_format, base=shown.text_base, picture=picture)
    return render("detail", d=shown, r=shown.record, description=said)


def message_html(render: Renderer, title: str, text: str) -> str:
    return render("detail_message", title=title, text=text)
