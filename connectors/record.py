"""The normalised record: Lora > Version > WeightFile, with Examples, and Claims that say where each value came from.

A connector turns a hub's answer into a Lora once; nothing past the connectors ever sees hub JSON. What a person or a
program gets is a Record: one weight file of one version, flattened, every field its best claim (see claims/resolve.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from connectors.errors import NotFound, Withheld
from connectors.ref import Origin, Ref
from connectors.registry import origin_label

# A "runner" is a hosted model that takes LoRAs, or trains them, and is none.
Kind = Literal["character", "style", "concept", "control", "tool", "runner"]
Nsfw = Literal["safe", "soft", "mature", "explicit"]
Access = Literal["open", "login", "gated", "paid", "generation-only", "archived", "removed"]
# "you": the person who uses this library. "probably": what most files with such tensors are, where nobody says it.
Source = Literal["you", "header", "hub", "card", "tag", "size", "example", "probably", "usage"]
FileFormat = Literal["safetensors", "pickle", "other"]
Value = str | int | float | bool | tuple[str, ...] | None

NSFW_LEVELS: tuple[Nsfw, ...] = ("safe", "soft", "mature", "explicit")
# A claim of several architectures, of which a file's layers fit each and no other.
SEVERAL = "architectures"
CLAIMED_FIELDS: tuple[str, ...] = (
    "base_model",
    "architecture",
    "raw_base_model",
    "kind",
    "trigger_words",
    "rank",
    "alpha",
    "algorithm",
    "license",
    "weight",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """`where` is exact: a JSON path in the hub's answer, a heading of the card, a metadata key of the file."""

    field: str
    value: Value
    source: Source
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """An image of a version. `params` are generation parameters as plain JSON; `nsfw` is None where nobody rated it.

    `width` and `height` are in pixels, None where the hub doesn't say.
    """

    url: str
    prompt: str | None = None
    nsfw: Nsfw | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    video: bool = False
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightFile:
    """`size` in bytes, `sha256` in lower-case hex; None where the hub doesn't say.

    `autov3` are the first 12 digits of the SHA-256 of the tensors alone: files that differ in metadata share it.
    """

    ref: Ref
    name: str
    size: int | None = None
    sha256: str | None = None
    autov3: str | None = None
    format: FileFormat = "safetensors"
    primary: bool = False
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A CivitAI version, a Hugging Face commit, a Replicate version.

    `description` is what its author says of this version alone, often what has changed: untrusted, as plain text.
    """

    ref: Ref
    name: str
    description: str = ""
    updated_at: str | None = None
    access: Access = "open"
    access_note: str | None = None
    files: tuple[WeightFile, ...] = ()
    examples: tuple[Example, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def file(self) -> WeightFile | None:
        """The file a person means who names none: a safetensors, the primary one of several."""
        return min(self.files, key=lambda f: (f.format != "safetensors", not f.primary), default=None)

    def find_file(self, ref: Ref) -> WeightFile | None:
        """The file that `ref` names, or the main one where it names none; None if there is no such file."""
        if ref.file is None:
            return self.file
        return next((file for file in self.files if file.ref.file == ref.file), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lora:
    """`versions` stand in the author's order, the default one first. `description` is untrusted HTML or Markdown.

    `nsfw` is the strongest level that the hub, the author or an image gives it, None where nobody says anything.
    `private`: its hub shows it only to some accounts.
    """

    ref: Ref
    title: str
    url: str
    creator: str | None = None
    description: str = ""
    description_format: Literal["html", "markdown", "text"] = "text"
    nsfw: Nsfw | None = None
    downloads: int | None = None
    likes: int | None = None
    updated_at: str | None = None
    tags: tuple[str, ...] = ()
    access: Access = "open"
    private: bool = False
    versions: tuple[Version, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def hub(self) -> Origin:
        return self.ref.hub

    @property
    def is_withheld(self) -> bool:
        """Whether its hub or its card says that it shows a minor, and it is above soft: it is shown to nobody."""
        return not within(self.nsfw, "soft") and is_marked(self.claims, "minor")

    def version(self, version_id: str | None) -> Version | None:
        """The version with this id, or the default one for None; None if there is no such version."""
        if version_id is None:
            return self.versions[0] if self.versions else None
        return next((v for v in self.versions if v.ref.version == version_id), None)

    def resolve(self, ref: Ref) -> tuple[Version, WeightFile | None]:
        """The version and file that `ref` names, or the defaults; the file may be None. Raises NotFound."""
        version = self.version(ref.version if ref.is_pinned else None)
        if version is None:
            missing = f"no version {ref.version}" if ref.version else "no version to download"
            raise NotFound(f"“{self.title}” has {missing}. See {self.url}", hub=self.hub, url=self.url)
        file = version.find_file(ref)
        if file is None and ref.file is not None:
            raise NotFound(f"“{self.title}” has no file {ref.file} in version {version.name}.", hub=self.hub)
        return version, file

    def pin(self, ref: Ref) -> Ref:
        """`ref` with its version pinned and its file named. Raises NotFound as `resolve` does."""
        version, file = self.resolve(ref)
        return file.ref if file else version.ref


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One weight file of one version, flattened: what search and show print, and what a card draws.

    `weight` is one number to begin with; where the author gives a range, `weight_range` has both its ends.
    `conflict_sentences` has one sentence for each of `conflicts`: "CivitAI says SDXL 1.0, the file is FLUX.1."
    `alternatives` are other architectures that the file may be for. `homes` are the same LoRA at other places, on its
    own hub too. `permissions` are the uses (claims/license.py) that its own licence allows or forbids, None where it
    doesn't say.
    """

    ref: Ref
    hub: Origin
    title: str
    creator: str | None
    url: str
    base_model: str | None
    architecture: str | None
    raw_base_model: str | None
    kind: Kind | None
    trigger_words: tuple[str, ...]
    rank: int | None
    alpha: float | None
    algorithm: str | None
    file: WeightFile | None
    license: str | None
    nsfw: Nsfw | None
    downloads: int | None
    likes: int | None
    updated_at: str | None
    images: tuple[Example, ...]
    access: Access
    claims: tuple[Claim, ...]
    conflicts: tuple[str, ...]
    conflict_sentences: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    weight: float | None
    weight_range: tuple[float, float] | None = None
    homes: tuple[Ref, ...] = ()
    permissions: Mapping[str, bool | None] = field(default_factory=dict)

    @property
    def weight_text(self) -> str:
        """The recommended weight: "0.8", "0.6 to 0.8", or nothing."""
        ends = self.weight_range or (self.weight,)
        return " to ".join(f"{end:g}" for end in ends if end is not None)

    def to_json(self) -> dict[str, Any]:
        """RECORD of the contracts: names and order, which are those of the fields, are stable."""
        return {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "ref": str(self.ref),
            "trigger_words": list(self.trigger_words),
            "file": file_to_json(self.file) if self.file else None,
            "images": [example_to_json(example) for example in self.images],
            "claims": claims_to_json(self.claims),
            "conflicts": list(self.conflicts),
            "conflict_sentences": list(self.conflict_sentences),
            "alternatives": list(self.alternatives),
            "weight_range": list(self.weight_range) if self.weight_range else None,
            "homes": [str(home) for home in self.homes],
            "permissions": dict(self.permissions),
        }


def file_to_json(file: WeightFile) -> dict[str, Any]:
    return {"name": file.name, "size": file.size, "sha256": file.sha256, "format": file.format}


def example_to_json(example: Example) -> dict[str, Any]:
    return {"url": example.url, "prompt": example.prompt, "nsfw": example.nsfw, "params": dict(example.params)}


def claims_to_json(claims: Iterable[Claim]) -> list[dict[str, Any]]:
    return [
        {
            "field": claim.field,
            "value": list(claim.value) if isinstance(claim.value, tuple) else claim.value,
            "source": claim.source,
            "where": claim.where,
        }
        for claim in distinct(claims)
    ]


def distinct(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Merges repeated claims into one with all its places. A tag that agrees with a card or field is a repetition."""
    found: dict[tuple[str, Value, Source], list[str]] = {}
    for claim in sorted(claims, key=lambda claim: claim.source == "tag"):
        sources = ("card", "hub") if claim.source == "tag" else ()
        keys = [(claim.field, claim.value, source) for source in (*sources, claim.source)]
        key = next((key for key in keys if key in found), keys[-1])
        found.setdefault(key, []).append(claim.where)
    return tuple(
        Claim(field=name, value=value, source=source, where="; ".join(dict.fromkeys(places)))
        for (name, value, source), places in found.items()
    )


def is_marked(claims: Iterable[Claim], field: str) -> bool:
    """Whether a hub says yes to a field such as "minor", "sfw_only", "real_person"."""
    return any(claim.value is True and claim.field == field for claim in claims)


def within(level: Nsfw | None, ceiling: Nsfw) -> bool:
    """Whether a LoRA or an image of `level` may be shown at `ceiling`. What nobody has rated is from "soft" on."""
    return _strength(level) <= _strength(ceiling)


def highest(levels: Iterable[Nsfw | None]) -> Nsfw | None:
    """The strongest of several levels. None for none, and where some are unrated and the others safe."""
    return max(levels, key=_strength, default=None)


def _strength(level: Nsfw | None) -> float:
    """An unrated image is between "safe" and "soft"."""
    return 0.5 if level is None else NSFW_LEVELS.index(level)


def limit_nsfw(loras: Iterable[Lora], ceiling: Nsfw) -> tuple[Lora, ...]:
    """The LoRAs, and of their images those, that a person may see who asked for at most `ceiling`."""
    shown = (lora for lora in loras if within(lora.nsfw, ceiling) and not lora.is_withheld)
    return tuple(_limit_images(lora, ceiling) for lora in shown)


def _limit_images(lora: Lora, ceiling: Nsfw) -> Lora:
    versions = (
        replace(version, examples=tuple(example for example in version.examples if within(example.nsfw, ceiling)))
        for version in lora.versions
    )
    return replace(lora, versions=tuple(versions))


def keep_permitted(lora: Lora) -> Lora:
    """What its hub lets anyone be shown, whatever they choose.

    Without images above soft where it is marked as showing a minor or as safe for work only. Of one that is withheld,
    the level, the mark and the hashes of its files are left, so that its copies are known.
    """
    if lora.is_withheld:
        marks = tuple(claim for claim in lora.claims if claim.field == "minor")
        versions = tuple(map(_keep_hashes, lora.versions))
        return Lora(ref=lora.ref, title=lora.ref.id, url=lora.url, nsfw=lora.nsfw, versions=versions, claims=marks)
    is_limited = is_marked(lora.claims, "minor") or is_marked(lora.claims, "sfw_only")
    return _limit_images(lora, "soft") if is_limited else lora


def _keep_hashes(version: Version) -> Version:
    files = (
        WeightFile(ref=file.ref, name="", sha256=file.sha256, autov3=file.autov3, format=file.format)
        for file in version.files
    )
    return Version(ref=version.ref, name="", files=tuple(files))


def check_shown(lora: Lora) -> Lora:
    """The LoRA itself. Raises Withheld."""
    if lora.is_withheld:
        raise Withheld(
            f"{origin_label(lora.hub)} or its own words mark {lora.ref} as showing a minor, and its content is above "
            "soft: it is not shown, opened or downloaded here, at any level. Choose another LoRA.",
            hub=lora.hub,
        )
    return lora
