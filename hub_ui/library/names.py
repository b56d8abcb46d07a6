"""The template that files are named by: `{architecture}/{creator}/{title}-{version}`."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.errors import UsageError

DEFAULT = "{architecture}/{creator}/{title}-{version}"
# What each may be replaced by: see folder.py, which fills them in.
KNOWN = ("architecture", "base_model", "creator", "file", "hub", "id", "kind", "title", "version")


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """`parts` are the folders, and at last the file's name without its ending."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, template: str) -> Names:
        """Raises UsageError for what would not name a file inside the library folder."""
        parts = template.strip().removesuffix(".safetensors").split("/")
        if any(part.strip() in ("", ".", "..") for part in parts) or "\\" in template:
            raise UsageError(
                f"“{template}” is no template for file names: write folders and a name with / between them, such as "
                f"{DEFAULT}"
            )
        used = [name for part in parts for name in _placeholders(part, template)]
        if not used:
            raise UsageError(f"“{template}” gives every file one name. Use at least one of {_list()}.")
        return cls(parts=tuple(parts))

    def filled(self, values: Mapping[str, str]) -> list[str]:
        """Each part with its placeholders replaced; what is not known leaves no dash behind."""
        return [part.format_map(values).strip(" -_") for part in self.parts]


def _placeholders(part: str, template: str) -> list[str]:
    try:
        found = [(name, spec, how) for _, name, spec, how in string.Formatter().parse(part) if name is not None]
    except ValueError as error:
        raise UsageError(f"“{template}” is no template for file names: {error}. Known are {_list()}.") from error
    for name, spec, how in found:
        if name not in KNOWN or spec or how:
            raise UsageError(f"“{{{name}}}” is nothing a file can be named by. Known are {_list()}.")
    return [name for name, _, _ in found]


def _list() -> str:
    return ", ".join(f"{{{name}}}" for name in KNOWN)
