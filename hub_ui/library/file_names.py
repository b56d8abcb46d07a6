"""File names that every system accepts, built from a LoRA's data by a template.

The module also finds the files that belong to a weight file by their names: previews and metadata of this and other
programs.
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
    """A template for paths. `parts` are the folders, then the file name without its suffix."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, template: str) -> FileNameTemplate:
        """Parse a template. Raises UsageError if it would not name a file inside the library folder."""
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
        """The placeholders in the template."""
        return frozenset(field[1] for part in self.parts for field in string.Formatter().parse(part) if field[1])

    def fill(self, values: Mapping[str, str]) -> list[str]:
        """Replace the placeholders of each part. Dashes next to an empty value are removed."""
        return [part.format_map(values).strip(" -_") for part in self.parts]


SUFFIX = ".safetensors"
# ext4 and APFS allow 255 bytes per name, Windows 260 characters for the whole path. Paths with three names of
# _MAX_BYTES stay within both limits.
_LONGEST_BYTES = 255
_MAX_BYTES = 72
# The limit for the path inside the library folder, so that the whole path stays below 260. Titles are shortened until
# it fits.
_MAX_PATH = 180
_SHORTER = (_MAX_BYTES, 56, 40, 28, 20, 12)
DEFAULT_NAMES = FileNameTemplate.parse(DEFAULT)
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file: reserved with any extension, superscripts included
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)
# Python decodes bytes that are not UTF-8 to lone surrogates, which a lock file can't contain.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
# Names that trainers give to every file, so they add nothing to the title.
_GENERIC = frozenset({"pytorch_lora_weights", "adapter_model", "lora", "model", "diffusion_pytorch_model"})


def target(record: Record, ref: Ref, name: str, names: FileNameTemplate = DEFAULT_NAMES) -> str:
    """Return the path for a file, relative to the library folder."""
    texts = _texts(record, ref, name)
    for most in _SHORTER:
        values = {key: text if key == "version" else safe_name(text, most) for key, text in texts.items()}
        # Allow twice the length, because a part may also contain text of the template and other values.
        parts = [safe_name(part, 2 * most) for part in names.fill(values)]
        if len("/".join(parts)) <= _MAX_PATH:
            break
    *folders, stem = parts
    return str(PurePosixPath(*folders, stem + SUFFIX))


def free_path(path: str, ref: Ref, taken: Collection[str]) -> str:
    """Return `path`, or `path` with a hash of the ref if it is `taken`, compared without letter case."""
    if fold(path) not in {fold(other) for other in taken}:
        return path
    digest = hashlib.sha256(str(ref).encode()).hexdigest()[:8]
    return f"{path[: -len(SUFFIX)]}-{digest}{SUFFIX}"


def name_notes(record: Record, ref: Ref, name: str, place: str, names: FileNameTemplate) -> tuple[str, ...]:
    """Explain how `place`, a result of `target`, differs from the template."""
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
    # A Hugging Face repo may have dozens of LoRAs under one title, so add the file's own name.
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
    """Convert `text` to a file name that is valid on Linux, macOS and Windows."""
    text = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Cf", "Cs", "Co"))
    text = " ".join(_FORBIDDEN.sub(" ", text).split())
    text = _trim(text)
    if len(text.encode()) > most:
        text = _trim(text.encode()[:most].decode(errors="ignore"))
    return f"_{text}" if _RESERVED.fullmatch(text) else text or "unnamed"


def _trim(text: str) -> str:
    """Remove dots and spaces, which Windows drops from the end, and prefixes of hidden files and of options."""
    return text.strip(". ").lstrip("-~. ")


def is_safe_path(path: str) -> bool:
    """Return whether a path is a weight file inside the library folder. Lock files may come from anyone."""
    parts = path.split("/")
    return (
        path.lower().endswith(SUFFIX)
        and all(part not in ("", ".", "..") and not part.endswith((".", " ")) for part in parts)
        and not any(_FORBIDDEN.search(part) or _RESERVED.fullmatch(part) for part in parts)
        and all(len(part.encode()) <= _LONGEST_BYTES for part in parts)
    )


def fold(path: str) -> str:
    """Normalise a path so that two paths compare equal if a case-insensitive file system takes them for one file."""
    return unicodedata.normalize("NFC", path).casefold()


def natural(name: str) -> str:
    """Return a sort key in natural order: "Set 2" before "Set 10"."""
    return re.sub("[0-9]+", lambda digits: digits[0].zfill(18), name.casefold())


# Suffixes of files of unfinished downloads.
UNFINISHED = (".part", ".twin", ".new")


def files_beside(folder: Path, files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each of `files` with the path of every file that belongs to it. All paths are relative to `folder`.

    `ink.preview.png` and `ink.civitai.info` belong to `ink.safetensors`. But `ink.v2.json` belongs to
    `ink.v2.safetensors` if that file exists.
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
        # A disk may list a name in another letter case than the lock file. A case-sensitive disk may list both
        # spellings, and then each has its own files.
        renamed = {fold(stem): file for stem, file in owners.items() if stem not in weights}
        exact = {**{stem: renamed.get(fold(stem)) for stem in weights}, **owners}
        folded = {fold(stem): exact[stem] for stem in sorted(exact, key=owners.__contains__)}
        for name in names:
            owner = _owner(name, exact, folded)
            if owner is not None:
                yield owner, str(PurePosixPath(parent, name))


def without_suffix(name: str) -> str:
    """Return the name or path of a weight file without its suffix, in any letter case."""
    return name[: -len(SUFFIX)] if name.lower().endswith(SUFFIX) else name


def _owner(name: str, exact: Mapping[str, str | None], folded: Mapping[str, str | None]) -> str | None:
    """Return the weight file with the longest name that `name` begins with, up to a dot."""
    # Files that `sync` has renamed are weights.
    if fold(name).endswith((*UNFINISHED, SUFFIX)) or f"{SUFFIX}.changed" in fold(name):
        return None
    for dots in range(1, name.count(".") + 1):
        prefix = name.rsplit(".", dots)[0]
        if prefix in exact:
            return exact[prefix]
        if fold(prefix) in folded:
            return folded[fold(prefix)]
    return None
