"""What was known about a LoRA and what a hub says now -> what is known.

A listing says less than a `get`, and both arrive in any order. So:
- A value that is said replaces the old one; one that is not said (None, empty) leaves it.
- Versions and files are never dropped: they are pinned, and a lock file may name them. The hub's order comes first.
- What a source says about a field replaces all it said before about that field; its claims about other fields stay.
- "open" and "safe" are also what a thin listing says for lack of knowledge. From something that says less than we knew
  they change nothing, except that a LoRA thought removed is back once its hub lists it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

from connectors.record import Access, Claim, Example, Lora, Nsfw, Version, WeightFile, highest

_T = TypeVar("_T")


def merge(old: Lora, new: Lora) -> Lora:
    thinner = _said(new) < _said(old)
    return replace(
        new,
        title=new.title or old.title,
        url=new.url or old.url,
        creator=new.creator or old.creator,
        description=new.description or old.description,
        description_format=new.description_format if new.description else old.description_format,
        nsfw=_nsfw(old.nsfw, new.nsfw, thinner),
        downloads=_known(new.downloads, old.downloads),
        likes=_known(new.likes, old.likes),
        updated_at=new.updated_at or old.updated_at,
        tags=new.tags or old.tags,
        access=_access(old.access, new.access, thinner),
        versions=_united(old.versions, new.versions, lambda v: v.ref.version, _version),
        claims=_claims(old.claims, new.claims),
    )


def _version(old: Version, new: Version) -> Version:
    thinner = _version_said(new) < _version_said(old)
    return replace(
        new,
        name=new.name or old.name,
        updated_at=new.updated_at or old.updated_at,
        access=_access(old.access, new.access, thinner),
        access_note=new.access_note or (old.access_note if thinner else None),
        files=_files(old.files, new.files),
        examples=_examples(old.examples, new.examples, thinner),
        claims=_claims(old.claims, new.claims),
    )


def _files(old: tuple[WeightFile, ...], new: tuple[WeightFile, ...]) -> tuple[WeightFile, ...]:
    """At most one file stays primary: the one the newest answer points out, if it points one out."""
    if any(file.primary for file in new):
        old = tuple(replace(file, primary=False) for file in old)
    return _united(old, new, lambda f: f.ref.file or f.name, _file)


def _file(old: WeightFile, new: WeightFile) -> WeightFile:
    return replace(
        new,
        size=_known(new.size, old.size),
        sha256=new.sha256 or old.sha256,
        primary=new.primary or old.primary,
        claims=_claims(old.claims, new.claims),
    )


def _examples(old: tuple[Example, ...], new: tuple[Example, ...], thinner: bool) -> tuple[Example, ...]:
    return _united(old, new, lambda e: e.url, _example) if thinner or not new else new


def _example(old: Example, new: Example) -> Example:
    return replace(
        new, prompt=new.prompt or old.prompt, params=new.params or old.params, nsfw=_nsfw(old.nsfw, new.nsfw, True)
    )


def _claims(old: tuple[Claim, ...], new: tuple[Claim, ...]) -> tuple[Claim, ...]:
    spoken = {(claim.field, claim.source) for claim in new}
    return (*new, *(claim for claim in old if (claim.field, claim.source) not in spoken))


def _nsfw(old: Nsfw | None, new: Nsfw | None, thinner: bool) -> Nsfw | None:
    """A listing shows the tame pictures only, so what it leaves out is no reason to call a LoRA tamer."""
    if old is None or new is None:
        return new or old
    return highest((new, old)) if thinner else new


def _access(old: Access, new: Access, thinner: bool) -> Access:
    return old if thinner and new == "open" and old != "removed" else new


def _known(new: Any, old: Any) -> Any:
    return old if new is None else new


def _united(
    old: tuple[_T, ...], new: tuple[_T, ...], key: Callable[[_T], Hashable], both: Callable[[_T, _T], _T]
) -> tuple[_T, ...]:
    known = {key(each): each for each in reversed(old)}
    named = {key(each) for each in new}
    merged = (both(known[key(each)], each) if key(each) in known else each for each in new)
    return (*merged, *(each for each in old if key(each) not in named))


def _said(lora: Lora) -> int:
    """How much is said, counted: enough to tell a listing from a `get`."""
    return bool(lora.description) + len(lora.claims) + sum(1 + _version_said(version) for version in lora.versions)


def _version_said(version: Version) -> int:
    return len(version.claims) + len(version.examples) + sum(1 + len(file.claims) for file in version.files)
