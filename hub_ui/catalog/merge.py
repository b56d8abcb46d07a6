"""Merging two answers about one LoRA: a listing says less than a `get`, and they arrive in any order."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TypeVar

from connectors.record import Access, Claim, Example, Lora, Nsfw, Version, WeightFile, highest

_T = TypeVar("_T")


def merge(old: Lora, new: Lora) -> Lora:
    """What is known of a LoRA after a listing or a `get`, which arrive in any order and say more or less.

    A value that is given replaces the old one. Versions and files are never dropped, since a lock file may name them;
    the hub's order comes first. A source's claims replace its earlier ones about the same fields. From an answer that
    says less than we knew, "open" and "safe" change nothing, except that a removed LoRA is back once it is listed. One
    that is withheld stays so until its hub says of it that it shows no minor.
    """
    if old.is_withheld and not any(claim.field == "minor" for claim in new.claims):
        return old
    is_thinner = _detail(new) < _detail(old)
    return replace(
        new,
        title=new.title or old.title,
        url=new.url or old.url,
        creator=new.creator or old.creator,
        description=new.description or old.description,
        description_format=new.description_format if new.description else old.description_format,
        nsfw=_nsfw(old.nsfw, new.nsfw, is_thinner),
        downloads=old.downloads if new.downloads is None else new.downloads,
        likes=old.likes if new.likes is None else new.likes,
        updated_at=new.updated_at or old.updated_at,
        tags=new.tags or old.tags,
        access=_access(old.access, new.access, is_thinner),
        versions=_union(old.versions, new.versions, lambda version: version.ref.version, _version),
        claims=_claims(old.claims, new.claims),
    )


def _version(old: Version, new: Version) -> Version:
    def merge_files(old: WeightFile, new: WeightFile) -> WeightFile:
        return replace(
            new,
            size=old.size if new.size is None else new.size,
            sha256=new.sha256 or old.sha256,
            autov3=new.autov3 or old.autov3,
            primary=new.primary or old.primary,
            claims=_claims(old.claims, new.claims),
        )

    def merge_examples(old: Example, new: Example) -> Example:
        nsfw = _nsfw(old.nsfw, new.nsfw, True)
        width, height = (new.width, new.height) if new.width else (old.width, old.height)
        prompt, params = new.prompt or old.prompt, new.params or old.params
        return replace(new, prompt=prompt, params=params, nsfw=nsfw, width=width, height=height)

    is_thinner = _version_detail(new) < _version_detail(old)
    old_files, examples = old.files, new.examples
    # At most one file stays primary: the one the newest answer points out, if it points one out.
    if any(file.primary for file in new.files):
        old_files = tuple(replace(file, primary=False) for file in old_files)
    if is_thinner or not examples:
        examples = _union(old.examples, examples, lambda example: example.url, merge_examples)
    return replace(
        new,
        name=new.name or old.name,
        description=new.description or old.description,
        updated_at=new.updated_at or old.updated_at,
        access=_access(old.access, new.access, is_thinner),
        access_note=new.access_note or (old.access_note if is_thinner else None),
        files=_union(old_files, new.files, lambda file: file.ref.file or file.name, merge_files),
        examples=examples,
        claims=_claims(old.claims, new.claims),
    )


def _claims(old: tuple[Claim, ...], new: tuple[Claim, ...]) -> tuple[Claim, ...]:
    answers = {(claim.field, claim.source) for claim in new}
    return (*new, *(claim for claim in old if (claim.field, claim.source) not in answers))


def _nsfw(old: Nsfw | None, new: Nsfw | None, is_thinner: bool) -> Nsfw | None:
    """A listing shows the tame images only, so what it leaves out is no reason to call a LoRA tamer."""
    if old is None or new is None:
        return new or old
    return highest((new, old)) if is_thinner else new


def _access(old: Access, new: Access, is_thinner: bool) -> Access:
    return old if is_thinner and new == "open" and old != "removed" else new


def _union(
    old: tuple[_T, ...], new: tuple[_T, ...], key: Callable[[_T], Hashable], merge_two: Callable[[_T, _T], _T]
) -> tuple[_T, ...]:
    by_key = {key(item): item for item in reversed(old)}
    new_keys = {key(item) for item in new}
    merged = (merge_two(by_key[key(item)], item) if key(item) in by_key else item for item in new)
    return (*merged, *(item for item in old if key(item) not in new_keys))


def _detail(lora: Lora) -> int:
    """How much it says, counted: enough to tell a listing from a `get`."""
    return bool(lora.description) + len(lora.claims) + sum(1 + _version_detail(version) for version in lora.versions)


def _version_detail(version: Version) -> int:
    return len(version.claims) + len(version.examples) + sum(1 + len(file.claims) for file in version.files)
