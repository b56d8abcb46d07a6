"""The files that belong to a weight file because of their names: previews and metadata of this and other programs."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from hub_ui.library.file_names import SUFFIX

# Files of downloads that are under way, and what `sync` has set aside, are weights.
_OTHERS = (".part", ".twin", ".new", SUFFIX)


def files_beside(folder: Path, files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """For each of `files`, paths below `folder`: the path and that of each file that belongs to it.

    `ink.preview.png` and `ink.civitai.info` belong to `ink.safetensors`; but `ink.v2.json` belongs to
    `ink.v2.safetensors` where that is there.
    """
    wanted: dict[str, list[str]] = defaultdict(list)
    for file in files:
        wanted[str(PurePosixPath(file).parent)].append(file)
    for parent, here in wanted.items():
        names: list[str] = []
        with suppress(OSError):
            names = sorted(item.name for item in os.scandir(folder / parent) if not item.is_dir())
        weights = {name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)}
        stems = {PurePosixPath(file).name.removesuffix(SUFFIX): file for file in here}
        for name in names:
            owner = _owner(name, weights | stems.keys())
            if owner in stems:
                yield stems[owner], str(PurePosixPath(parent, name))


def _owner(name: str, stems: set[str]) -> str | None:
    """The longest of the `stems` that the name begins with, up to a dot."""
    if name.endswith(_OTHERS) or f"{SUFFIX}.changed" in name:
        return None
    prefixes = (name.rsplit(".", dots)[0] for dots in range(1, name.count(".") + 1))
    return next((prefix for prefix in prefixes if prefix in stems), None)
