"""A Python script that loads the library's LoRAs on their base models with diffusers, every one pinned."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from hub_ui.format import clean
from hub_ui.library.lockfile import Entry

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
    image = pipeline(prompt, generator=torch.Generator("cpu").manual_seed(0), **settings).images[0]
    image.save(f"{{name}}.png")
    print(f"{{name}}.png")
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """Where diffusers loads a base from. `settings` are for the pipeline's call, `scheduler` replaces its own.

    `revision` is a repo's commit, None for a folder or a repo whose hub did not answer.
    """

    source: str
    label: str
    revision: str | None = None
    scheduler: str | None = None
    settings: Mapping[str, int | float] = field(default_factory=dict)


def snippet(entries: Iterable[Entry], path: Callable[[Entry], Path], base_of: Callable[[Entry], Base | None]) -> str:
    """The script. An entry for which `base_of` returns None is only named in a comment."""
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
    adapters: list[str] = []
    loads: list[str] = []
    for entry in group:
        # One name an entry, none twice. PEFT allows no dots in them.
        names = (f"{_identifier(entry.title)}_{number}" for number in count(2))
        adapter = _identifier(entry.title)
        while adapter in adapters:
            adapter = next(names)
        adapters.append(adapter)
        # diffusers downloads a file on Hugging Face at its commit; files of the other hubs are in the library.
        if entry.ref.hub == "huggingface" and entry.ref.file:
            source, pin, file = repr(entry.ref.id), f"revision={entry.ref.version!r}, ", entry.ref.file
        else:
            source, pin, file = repr(str(path(entry).absolute().parent)), "", path(entry).name
        loads += [
            f"    # {_comment(entry)}",
            f"    # sha256 {entry.sha256}",
            "    pipeline.load_lora_weights(",
            f"        {source}, {pin}weight_name={file!r}, adapter_name={adapter!r}",
            "    )",
        ]
    weights = [1.0 if entry.weight is None else entry.weight for entry in group]
    words = list(dict.fromkeys(entry.trigger_words[0] for entry in group if entry.trigger_words))
    prompt = ", ".join([*words, "a lighthouse by the sea"])
    source = f"{base.source!r}, revision={base.revision!r}" if base.revision else repr(base.source)
    lines = [
        f"def {name}():",
        f"    pipeline = diffusers.DiffusionPipeline.from_pretrained({source}, torch_dtype=DTYPE)",
        *loads,
        f"    pipeline.set_adapters({adapters!r}, adapter_weights={weights!r})",
        f"    return pipeline.to(DEVICE), {prompt!r}, {dict(base.settings)!r}",
    ]
    if base.scheduler is not None:
        scheduler = f"diffusers.{base.scheduler}.from_config(pipeline.scheduler.config)"
        lines.insert(2, f"    pipeline.scheduler = {scheduler}")
    return "\n\n" + "\n".join(lines) + "\n"


def _identifier(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
    return plain if plain[:1].isalpha() else f"lora_{plain}".rstrip("_")


def _comment(entry: Entry) -> str:
    """On one line, so that a title can't end the comment and become code."""
    return clean(f"{entry.title}: {entry.ref}")
