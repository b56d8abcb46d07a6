"""The normalised record: Lora > Version > WeightFile, with Examples, and Claims that say where each value was read.

A connector turns a hub's response into a Lora once, so that only connectors see a hub's JSON. Commands and pages show a
Record: one weight file of one version, flattened, with the best claim for each field (see claims/resolve.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from connectors.errors import NotFound, Withheld
from connectors.ref import Origin, Ref
from connectors.registry import origin_label

# A "runner" is a hosted model that takes LoRAs or trains them, but is not a LoRA.
Kind = Literal["character", "style", "concept", "control", "tool", "runner"]
Nsfw = Literal["safe", "soft", "mature", "explicit"]
Access = Literal["open", "login", "gated", "paid", "generation-only", "archived", "removed"]
# "you": the person who uses this library. "probably": the meaning of most files with such tensors, if no source says
# it.
Source = Literal["you", "header", "hub", "card", "tag", "size", "example", "probably", "usage"]
FileFormat = Literal["safetensors", "pickle", "other"]
Value = str | int | float | bool | tuple[str, ...] | None

NSFW_LEVELS: tuple[Nsfw, ...] = ("safe", "soft", "mature", "explicit")
# The field of a claim with several architectures, all of which fit the layers of the file.
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
    """One statement about one field.

    `where` is exact: a JSON path, a heading of the card, or a metadata key of the file.
    """

    field: str
    value: Value
    source: Source
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """An image of a version, with its generation parameters as plain JSON in `params`.

    `nsfw` is None if the image was not rated. `width` and `height` are in pixels, None if the hub doesn't say.
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
    """One weight file. `size` is in bytes and `sha256` in lower-case hex; each is None if the hub doesn't say.

    `autov3` is the first 12 digits of the SHA-256 of the tensors without the header, so it doesn't depend on metadata.
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
    """A CivitAI version, a Hugging Face commit or a Replicate version.

    `description` is the author's text about this version, often a list of changes. It is untrusted plain text.
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
        """The file for a ref that names no file: a safetensors if possible, and the primary one of several."""
        return min(self.files, key=lambda f: (f.format != "safetensors", not f.primary), default=None)

    def find_file(self, ref: Ref) -> WeightFile | None:
        """Return the file that `ref` names, or the main file if it names none. Return None if it is missing."""
        if ref.file is None:
            return self.file
        return next((file for file in self.files if file.ref.file == ref.file), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lora:
    """One LoRA of a hub, or a local one.

    `versions` are in the author's order, the default version first. `description` is untrusted HTML or Markdown. `nsfw`
    is the strongest level from the hub, the author or an image, None if all of them are silent. A `private` LoRA is
    visible to some accounts of the hub only.
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
        """Whether the LoRA is neither listed nor opened, because it may show a minor in sexual content.

        A hub's mark counts only above soft, because CivitAI also marks harmless portraits of children.
        """
        marks = (claim for claim in self.claims if claim.field == "minor" and claim.value is True)
        return any(mark.source == "tag" or not within(self.nsfw, "soft") for mark in marks)

    def version(self, version_id: str | None) -> Version | None:
        """Return the version with this id, or the default version for None. Return None if it is missing."""
        if version_id is None:
            return self.versions[0] if self.versions else None
        return next((v for v in self.versions if v.ref.version == version_id), None)

    def resolve(self, ref: Ref) -> tuple[Version, WeightFile | None]:
        """Return the version and file that `ref` names, or the defaults. The file may be None. Raises NotFound."""
        version = self.version(ref.version if ref.is_pinned else None)
        if version is None:
            missing = f"no version {ref.version}" if ref.version else "no version to download"
            raise NotFound(f"“{self.title}” has {missing}. See {self.url}", hub=self.hub, url=self.url)
        file = version.find_file(ref)
        if file is None and ref.file is not None:
            raise NotFound(f"“{self.title}” has no file {ref.file} in version {version.name}.", hub=self.hub)
        return version, file

    def pin(self, ref: Ref) -> Ref:
        """Return `ref` with its version pinned and its file named. Raises NotFound as `resolve` does."""
        version, file = self.resolve(ref)
        return file.ref if file else version.ref


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One weight file of one version, flattened: the output of search and show, and the content of a card.

    `weight` is the number to start with; if the author gives a range, `weight_range` has both its ends.
    `conflict_sentences` has one sentence for each of `conflicts`: "CivitAI says SDXL 1.0, the file is FLUX.1."
    `alternatives` are other architectures that fit the file. `homes` are copies of the LoRA, on the same hub or others.
    `permissions` maps each use (claims/license.py) to whether the LoRA's own licence allows it, None if it doesn't say.
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
        """The recommended weight: "0.8", "0.6 to 0.8", or ""."""
        ends = self.weight_range or (self.weight,)
        return " to ".join(f"{end:g}" for end in ends if end is not None)

    def to_json(self) -> dict[str, Any]:
        """Return RECORD of the contracts. The names and their order are those of the fields, and are stable."""
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
    """Merge repeated claims into one with all their places.

    A tag that agrees with a card or field counts as a repetition.
    """
    places_by_claim: dict[tuple[str, Value, Source], list[str]] = {}
    for claim in sorted(claims, key=lambda claim: claim.source == "tag"):
        sources = ("card", "hub") if claim.source == "tag" else ()
        keys = [(claim.field, claim.value, source) for source in (*sources, claim.source)]
        key = next((key for key in keys if key in places_by_claim), keys[-1])
        places_by_claim.setdefault(key, []).append(claim.where)
    return tuple(
        Claim(field=name, value=value, source=source, where="; ".join(dict.fromkeys(places)))
        for (name, value, source), places in places_by_claim.items()
    )


def is_marked(claims: Iterable[Claim], field: str) -> bool:
    """Return whether a claim says yes to a field such as "minor", "sfw_only" or "real_person"."""
    return any(claim.value is True and claim.field == field for claim in claims)


def within(level: Nsfw | None, ceiling: Nsfw) -> bool:
    """Return whether a LoRA or image of `level` may be shown at `ceiling`. Unrated content needs "soft" or higher."""
    return _strength(level) <= _strength(ceiling)


def highest(levels: Iterable[Nsfw | None]) -> Nsfw | None:
    """Return the strongest of several levels.

    Return None for no levels, and if some are unrated and the others safe.
    """
    return max(levels, key=_strength, default=None)


def _strength(level: Nsfw | None) -> float:
    """Return a number to compare levels by. An unrated image is between "safe" and "soft"."""
    return 0.5 if level is None else NSFW_LEVELS.index(level)


def limit_nsfw(loras: Iterable[Lora], ceiling: Nsfw) -> tuple[Lora, ...]:
    """Return the LoRAs that may be shown at `ceiling`, with only those of their images that may be shown."""
    shown = (lora for lora in loras if within(lora.nsfw, ceiling) and not lora.is_withheld)
    return tuple(_limit_images(lora, ceiling) for lora in shown)


def _limit_images(lora: Lora, ceiling: Nsfw) -> Lora:
    versions = (
        replace(version, examples=tuple(example for example in version.examples if within(example.nsfw, ceiling)))
        for version in lora.versions
    )
    return replace(lora, versions=tuple(versions))


def keep_permitted(lora: Lora) -> Lora:
    """Return the LoRA without the content that must not be shown to anyone, whatever level they choose.

    If a claim marks the LoRA as showing a minor or as safe for work only, its images above soft are removed. A withheld
    LoRA keeps only its level, its mark and the hashes of its files, so that its copies are recognised.
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
    """Return the LoRA unchanged. Raises Withheld if it must not be shown to anyone."""
    if lora.is_withheld:
        raise Withheld(
            f"{origin_label(lora.hub)} or its own words mark {lora.ref} as showing a minor: "
            "it is not shown, opened or downloaded here, at any level. Choose another LoRA.",
            hub=lora.hub,
        )
    return lora
