"""File names that every system accepts, made from a LoRA's title by a template.

And the files that belong to a weight file because of their names: previews and metadata of this and other programs.
"""

from __future__ import annotations

import hashlib
import os
import re
import string
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from connectors.errors import UsageError
from connectors.record import Record
from connectors.ref import Ref
from hub_ui.base.i18n import N_, _

DEFAULT = "{architecture}/{creator}/{title}-{version}"
# The placeholders of a template.
KNOWN = ("architecture", "base_model", "creator", "file", "hub", "id", "kind", "title", "version")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileNameTemplate:
    """`parts` are the folders, and at last the file's name without its ending."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, template: str) -> FileNameTemplate:
        """Raises UsageError for what would not name a file inside the library folder."""
        parts = template.strip().removesuffix(".safetensors").split("/")
        if any(part.strip() in ("", ".", "..") for part in parts) or "\\" in template:
            text = _(
                "“{template}” is no template for file names: write folders and a name with / between them, such as "
                "{default}"
            )
            raise UsageError(text.format(template=template, default=DEFAULT))
        known = ", ".join(f"{{{name}}}" for name in KNOWN)
        try:
            fields = [field[1:] for part in parts for field in string.Formatter().parse(part) if field[1] is not None]
        except ValueError as error:
            text = _("“{template}” is no template for file names: {error}. Known are {known}.")
            raise UsageError(text.format(template=template, error=error, known=known)) from error
        for name, spec, conversion in fields:
            if name not in KNOWN or spec or conversion:
                text = _("“{{{name}}}” is nothing a file can be named by. Known are {known}.")
                raise UsageError(text.format(name=name, known=known))
        if not fields:
            text = _("“{template}” gives every file one name. Use at least one of {known}.")
            raise UsageError(text.format(template=template, known=known))
        return cls(parts=tuple(parts))

    @property
    def fields(self) -> frozenset[str]:
        """The placeholders that it uses."""
        return frozenset(field[1] for part in self.parts for field in string.Formatter().parse(part) if field[1])

    def fill(self, values: Mapping[str, str]) -> list[str]:
        """Each part with its placeholders replaced; what is not known leaves no dash behind."""
        return [part.format_map(values).strip(" -_") for part in self.parts]


SUFFIX = ".safetensors"
# ext4 and APFS allow 255 bytes a name; Windows 260 characters for the whole path. Three of these leave room for both.
_LONGEST_BYTES = 255
_MAX_BYTES = 72
# Below the library folder, so that the whole path stays under those 260. Titles are shortened until it fits.
_MAX_PATH = 180
_SHORTER = (_MAX_BYTES, 56, 40, 28, 20, 12)
DEFAULT_NAMES = FileNameTemplate.parse(DEFAULT)
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file: reserved with any extension, superscripts included
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
# Half surrogates are how Python reads bytes that are no UTF-8, which a lock file can't hold.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
# Names that trainers give to every file: they say nothing that the title doesn't.
_GENERIC = frozenset({"pytorch_lora_weights", "adapter_model", "lora", "model", "diffusion_pytorch_model"})


def target(record: Record, ref: Ref, name: str, names: FileNameTemplate = DEFAULT_NAMES) -> str:
    """The path for a file, below the library folder."""
    texts = _texts(record, ref, name)
    for most in _SHORTER:
        values = {key: text if key == "version" else safe_name(text, most) for key, text in texts.items()}
        # The template's own words count too, hence more room for a part than for a value in it.
        parts = [safe_name(part, 2 * most) for part in names.fill(values)]
        if len("/".join(parts)) <= _MAX_PATH:
            break
    *folders, stem = parts
    return str(PurePosixPath(*folders, stem + SUFFIX))


def free_path(path: str, ref: Ref, taken: Collection[str]) -> str:
    """`path`, with a digest of the ref in its name if it is one of those `taken`; case doesn't tell paths apart."""
    if fold(path) not in {fold(other) for other in taken}:
        return path
    return f"{path[: -len(SUFFIX)]}-{hashlib.sha256(str(ref).encode()).hexdigest()[:8]}{SUFFIX}"


def name_notes(record: Record, ref: Ref, name: str, place: str, names: FileNameTemplate) -> tuple[str, ...]:
    """What differs in `place`, which `target` made, from what the template asks for."""
    texts = [text for field, text in _texts(record, ref, name).items() if field in names.fields]
    whole = [safe_name(text, 10_000) for text in texts]
    found = {
        N_("Characters that no file name may have are left out."): any(
            safe != " ".join(text.split()) for safe, text in zip(whole, texts, strict=True)
        ),
        N_("It is shortened."): any(safe not in place for safe in whole),
    }
    return tuple(note for note, is_true in found.items() if is_true)


def _texts(record: Record, ref: Ref, name: str) -> dict[str, str]:
    stem, title = without_suffix(PurePosixPath(name).name), record.title
    # A Hugging Face repo may hold dozens of LoRAs under one title; there the file's own name is added.
    if ref.hub == "huggingface" and stem.lower() not in _GENERIC and stem.lower() != title.lower():
        title = f"{safe_name(title, 32)}-{stem}"
    return {
        "architecture": record.architecture or "unknown",
        "base_model": record.base_model or record.architecture or "unknown",
        "creator": record.creator or ref.hub,
        "file": stem,
        "hub": ref.hub,
        "id": ref.id.replace("/", "-") or ref.hub,
        "kind": record.kind or "other",
        "title": title,
        "version": ref.version[:12] if ref.version else "",
    }


def safe_name(text: str, most: int = _MAX_BYTES) -> str:
    """`text` as one path component on Linux, macOS and Windows."""
    text = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Cf", "Cs", "Co"))
    text = " ".join(_FORBIDDEN.sub(" ", text).split())
    text = _trim(text)
    if len(text.encode()) > most:
        text = _trim(text.encode()[:most].decode(errors="ignore"))
    return f"_{text}" if _RESERVED.fullmatch(text) else text or "unnamed"


def _trim(text: str) -> str:
    """Without what Windows drops at the end, and what hides a file or looks like an option at the start."""
    return text.strip(". ").lstrip("-~. ")


def is_safe_path(path: str) -> bool:
    """Whether a path from a lock file, which may come from anyone, is a weight file inside the library folder."""
    parts = path.split("/")
    return (
        path.lower().endswith(SUFFIX)
        and all(part not in ("", ".", "..") and not part.endswith((".", " ")) for part in parts)
        and not any(_FORBIDDEN.search(part) or _RESERVED.fullmatch(part) for part in parts)
        and all(len(part.encode()) <= _LONGEST_BYTES for part in parts)
    )


def fold(path: str) -> str:
    """Equal for paths that are one file on some disks."""
    return unicodedata.normalize("NFC", path).casefold()


def natural(name: str) -> str:
    """Names sort by it as people count: "Set 2" before "Set 10"."""
    return re.sub("[0-9]+", lambda digits: digits[0].zfill(18), name.casefold())


# Files of downloads that are under way.
UNFINISHED = (".part", ".twin", ".new")


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
        owners = {without_suffix(PurePosixPath(file).name): file for file in here}
        weights = {without_suffix(name) for name in names if fold(name).endswith(SUFFIX)}
        # A disk may list a name in other letters than the lock file. One that tells case apart may list both, and
        # then each has files of its own.
        renamed = {fold(stem): file for stem, file in owners.items() if stem not in weights}
        exact = {**{stem: renamed.get(fold(stem)) for stem in weights}, **owners}
        folded = {fold(stem): exact[stem] for stem in sorted(exact, key=owners.__contains__)}
        for name in names:
            owner = _owner(name, exact, folded)
            if owner is not None:
                yield owner, str(PurePosixPath(parent, name))


def without_suffix(name: str) -> str:
    """The name or path of a weight file without its ending, which may be in capitals."""
    return name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) else name


def _owner(name: str, exact: Mapping[str, str | None], folded: Mapping[str, str | None]) -> str | None:
    """That of the longest name of a weight file that `name` begins with, up to a dot."""
    # What `sync` has set aside are weights.
    if fold(name).endswith((*UNFINISHED, SUFFIX)) or f"{SUFFIX}.changed" in fold(name):
        return None
    for dots in range(1, name.count(".") + 1):
        prefix = name.rsplit(".", dots)[0]
        if prefix in exact:
            return exact[prefix]
        if fold(prefix) in folded:
            return folded[fold(prefix)]
    return None
