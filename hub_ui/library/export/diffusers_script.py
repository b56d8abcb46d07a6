"""A Python file that puts the library's LoRAs on their base models with diffusers, every one of them pinned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub_ui.library.lockfile import Entry
from hub_ui.terminal import clean

_HEAD = '''\
"""LoRAs pinned by a loras.lock, each on a pipeline of its base model. Needs torch, diffusers and peft."""

import sys

import diffusers
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPE = torch.bfloat16 if DEVICE == "cuda" else torch.float32
'''
_TAIL = """

PIPELINES = {{{names}}}

if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else next(iter(PIPELINES))
    pipeline, prompt, settings = PIPELINES[name]()
    picture = pipeline(prompt, generator=torch.Generator("cpu").manual_seed(0), **settings).images[0]
    picture.save(f"{{name}}.png")
    print(f"{{name}}.png")
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """Where diffusers loads it from, and how a picture is asked of it. `scheduler` replaces one that can't be used.

    `revision` is the commit of a repo, None for a folder and for a repo whose hub could not be asked.
    """

    source: str
    label: str
    revision: str | None = None
    scheduler: str | None = None
    settings: Mapping[str, int | float] = field(default_factory=dict)


def snippet(entries: Iterable[Entry], path: Callable[[Entry], Path], base_of: Callable[[Entry], Base | None]) -> str:
    """`base_of` gives None where no base model is known; such an entry is named in a comment."""
    groups: dict[str, list[Entry]] = {}
    bases: dict[str, Base] = {}
    left: list[Entry] = []
    for entry in entries:
        base = base_of(entry)
        if base is None:
            left.append(entry)
            continue
        name = _identifier(base.label)
        bases[name] = base
        groups.setdefault(name, []).append(entry)
    parts = [_HEAD, *(_function(name, bases[name], group, path) for name, group in groups.items())]
    names = ", ".join(f'"{name}": {name}' for name in groups)
    rest = [f"# No base model is known for {_comment(entry)}\n" for entry in left]
    return "".join([*parts, "".join(["\n", *rest]) if rest else "", _TAIL.format(names=names) if names else ""])


def _function(name: str, base: Base, group: list[Entry], path: Callable[[Entry], Path]) -> str:
    adapters = _names(group)
    weights = [1.0 if entry.weight is None else entry.weight for entry in group]
    words = list(dict.fromkeys(entry.trigger_words[0] for entry in group if entry.trigger_words))
    prompt = ", ".join([*words, "a lighthouse by the sea"])
    lines = [
        f"def {name}():",
        f"    pipeline = diffusers.DiffusionPipeline.from_pretrained({_place(base)}, torch_dtype=DTYPE)",
        *_scheduler(base),
        *(line for entry, adapter in zip(group, adapters, strict=True) for line in _load(entry, adapter, path)),
        f"    pipeline.set_adapters({adapters!r}, adapter_weights={weights!r})",
        f"    return pipeline.to(DEVICE), {prompt!r}, {dict(base.settings)!r}",
    ]
    return "\n\n" + "\n".join(lines) + "\n"


def _place(base: Base) -> str:
    return f"{base.source!r}, revision={base.revision!r}" if base.revision else repr(base.source)


def _scheduler(base: Base) -> list[str]:
    if base.scheduler is None:
        return []
    return [f"    pipeline.scheduler = diffusers.{base.scheduler}.from_config(pipeline.scheduler.config)"]


def _load(entry: Entry, adapter: str, path: Callable[[Entry], Path]) -> Iterator[str]:
    """Hugging Face hands out a file at its commit; what the other hubs have is loaded from the library."""
    yield f"    # {_comment(entry)}"
    yield f"    # sha256 {entry.sha256}"
    if entry.ref.hub == "huggingface" and entry.ref.file:
        place, name = repr(entry.ref.id), entry.ref.file
        pin = f"revision={entry.ref.version!r}, "
    else:
        file = path(entry).absolute()
        place, name, pin = repr(str(file.parent)), file.name, ""
    yield "    pipeline.load_lora_weights("
    yield f"        {place}, {pin}weight_name={name!r}, adapter_name={adapter!r}"
    yield "    )"


def _names(group: list[Entry]) -> list[str]:
    """One adapter name an entry, none twice. PEFT allows no dots in them."""
    taken: list[str] = []
    for entry in group:
        name = _identifier(entry.title)
        number = 2
        while name in taken:
            name = f"{_identifier(entry.title)}_{number}"
            number += 1
        taken.append(name)
    return taken


def _identifier(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
    return plain if plain[:1].isalpha() else f"lora_{plain}".rstrip("_")


def _comment(entry: Entry) -> str:
    """On one line: a title must not end the comment and become code."""
    return clean(f"{entry.title}: {entry.ref}")
