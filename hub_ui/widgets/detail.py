"""The panel that opens beside the list: what a LoRA is, where each statement comes from, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from connectors.claims.resolve import flatten, record_with_header
from connectors.record import Example, Lora, Nsfw, Record, Version, WeightFile, within
from connectors.ref import Ref
from connectors.registry import origin_label
from connectors.weights.file_type import WORDS
from connectors.weights.inspect import Facts
from hub_ui.widgets import access, description, fact_rows, format
from hub_ui.widgets.access import Keys
from hub_ui.widgets.fact_rows import Fact
from hub_ui.widgets.render import Renderer

MAX_IMAGES = 8
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
    """An image of the hub's. `index` is its place among the record's images, `usable` if settings came with it."""

    index: int
    example: Example
    usable: bool


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What trying it takes, in a sentence. `closed`: it can't be tried here. `unfit`: not beside others either."""

    text: str = ""
    closed: bool = False
    unfit: bool = False


@dataclass(frozen=True, kw_only=True)
class Detail:
    """`obstacle` keeps the file from being downloaded, `caution` may.

    `refused`: the file is no LoRA. `state` says how much of the file was read.
    """

    lora: Lora
    version: Version | None
    record: Record
    title: str
    line: str
    images: tuple[Shot, ...]
    facts: tuple[Fact, ...]
    versions: tuple[Choice, ...]
    files: tuple[Choice, ...]
    obstacle: str
    caution: str
    needs: Needs
    refused: bool
    dispute: str
    state: str
    warnings: tuple[str, ...]
    in_library: bool
    can_pull: bool

    @property
    def try_problem(self) -> str:
        """Why it can't be tried with one click; empty when it can."""
        if self.refused or (self.obstacle and not self.in_library):
            return self.obstacle
        return self.needs.text if self.needs.closed else ""


def detail(
    lora: Lora,
    ref: Ref,
    *,
    ceiling: Nsfw,
    in_library: Callable[[Ref], bool],
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
        lora=lora,
        version=version,
        record=record,
        title=format.title(lora.title) or lora.ref.id,
        line=line(lora, record),
        images=tuple(shots(record, ceiling))[:MAX_IMAGES],
        facts=fact_rows.rows(record, facts),
        versions=tuple(version_choice(v, current=v is version) for v in lora.versions),
        files=tuple(
            Choice(ref=str(f.ref), name=format.visible(f.name), note=format.size(f.size), current=f is file)
            for f in (version.files if version else ())[:MAX_FILES]
        ),
        obstacle=refusal(facts) or standing.obstacle,
        caution=standing.caution,
        needs=Needs() if refused else needs(record),
        refused=refused,
        dispute="" if refused else format.visible(" ".join(record.conflict_sentences)),
        state=state or read_text(facts),
        warnings=tuple(format.visible(w) for w in facts.adapter.warnings) if facts and not refused else (),
        in_library=in_library(record.ref),
        can_pull=can_pull,
    )


def line(lora: Lora, record: Record) -> str:
    """Its creator, hub, age and downloads."""
    age = format.ago(record.updated_at)
    return format.join(
        format.title(lora.creator),
        origin_label(lora.hub),
        f"updated {age}" if age else "",
        f"{format.count(lora.downloads)} downloads" if lora.downloads is not None else "",
    )


def shots(record: Record, ceiling: Nsfw) -> Iterator[Shot]:
    for index, example in enumerate(record.images):
        if not example.video and within(example.nsfw, ceiling):
            yield Shot(index=index, example=example, usable=bool(example.prompt or example.params))


def version_and_file(lora: Lora, ref: Ref) -> tuple[Version | None, WeightFile | None]:
    """What `ref` names; the default version, and its main file, where it names none or one that is not there."""
    version = lora.version(ref.version) or lora.version(None)
    return version, (version.find_file(ref) or version.file) if version else None


def refusal(facts: Facts | None) -> str:
    if facts is None or facts.adapter.is_lora:
        return ""
    return f"This is no LoRA for images or videos: the file is {WORDS[facts.adapter.what]}. It can't be tried here."


def read_text(facts: Facts | None) -> str:
    if facts is None:
        return ""
    if not facts.bytes_read:
        return "Read from the file's own header, nothing downloaded"
    of = f" of {format.size(facts.size)}" if facts.size else ""
    return f"Read from {format.size(facts.bytes_read)}{of}, nothing downloaded"


def version_choice(version: Version, *, current: bool) -> Choice:
    base = next((format.visible(str(c.value)) for c in version.claims if c.field == "raw_base_model"), "")
    size = format.size(version.file.size) if version.file else ""
    name = format.visible(version.name)
    is_hash = version.ref.hub != "civitai" and len(name) >= 40
    return Choice(
        ref=str(version.ref),
        name=name[:7] if is_hash else name,
        note=format.join(base, size, format.ago(version.updated_at)),
        current=current,
    )


def html(render: Renderer, shown: Detail) -> str:
    lora, version = shown.lora, shown.version
    # A model card's relative addresses lead to files beside it, of the same commit.
    on_hub = lora.hub == "huggingface" and version is not None
    text = description.html(
        lora.description,
        lora.description_format,
        base=f"{lora.url}/resolve/{version.ref.version}/" if on_hub and version else lora.url,
        picture=partial(render.picture, ref=shown.record.ref),
    )
    return render("detail", d=shown, r=shown.record, description=text)


def message_html(render: Renderer, title: str, text: str) -> str:
    return render("detail_message", title=title, text=text)
