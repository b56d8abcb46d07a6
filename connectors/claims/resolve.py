"""Resolves claims to values: a record's fields are the best claims of the LoRA, version and file."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal, get_args

from connectors.claims import base_models
from connectors.claims.license import Use, permissions_from
from connectors.errors import NotFound
from connectors.record import CLAIMED_FIELDS, SEVERAL, Access, Claim, Lora, Record, Source, Version, WeightFile
from connectors.ref import Ref
from connectors.registry import HUBS, Origin, origin_label
from connectors.weights.file_type import WORDS
from connectors.weights.lora_facts import LoraFacts

# Falling trust for what a file *is*. Among equals the earlier claim wins: connectors emit them in order of trust.
# A person who says otherwise of their own library decides, and the contradiction is shown.
TRUST: tuple[Source, ...] = ("you", "header", "hub", "card", "tag", "size", "example", "probably", "usage")
# Fields that state an author's intention, which the author's words on a hub express better than a file's metadata.
_OF_THE_AUTHOR = frozenset({"trigger_words", "weight", "kind", "license"})
_AUTHOR_TRUST: tuple[Source, ...] = ("you", "hub", "card", "header", "tag", "size", "example", "probably", "usage")


def best(claims: Iterable[Claim], field: str) -> Any:
    """The most trusted non-empty value, None if nothing was said."""
    claim = best_claim(claims, field)
    return claim.value if claim else None


def best_claim(claims: Iterable[Claim], field: str) -> Claim | None:
    """The claim that `best` takes its value from."""
    stated = [claim for claim in claims if claim.field == field and claim.value not in (None, "", ())]
    # Nearly always, and each LoRA that is added or shown asks for a dozen fields.
    if len(stated) < 2:
        return stated[0] if stated else None
    order = _AUTHOR_TRUST if field in _OF_THE_AUTHOR else TRUST
    return min(stated, key=lambda claim: order.index(claim.source))


# Fields whose values exclude each other; two lists of trigger words do not. "what" is claimed by the header of a file
# that is no LoRA, though a hub lists it as one.
EXCLUSIVE: tuple[str, ...] = ("what", "architecture", "base_model", "rank", "algorithm")
_FILE_VERBS = {"rank": "has rank", "base_model": "says"}


def conflicts(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Fields where a claim from another source contradicts the believed one."""
    claims = tuple(claims)
    # Another kind of file contradicts alone. A base on another architecture is no contradiction of its own.
    found = [field for field in EXCLUSIVE if (best(claims, field) if field == "what" else contradicting(claims, field))]
    return tuple(field for field in found if field != "base_model" or "architecture" not in found)


def sentences(claims: Iterable[Claim], hub: Origin) -> tuple[str, ...]:
    """ "CivitAI says SDXL 1.0, the file is FLUX.1." One for each of `conflicts`, in its order."""
    claims = tuple(claims)
    found = []
    for field in conflicts(claims):
        top = _proof(claims, field)
        if top is not None and field == "what":
            file = {str(what): words for what, words in WORDS.items()}.get(str(top.value), "something else")
            found.append(f"{origin_label(hub)} lists it as a LoRA, the file is {file}.")
        elif top is not None:
            others, believed = contradicting(claims, field), _statement(claims, top, hub)
            statements = dict.fromkeys(_statement(claims, claim, hub) for claim in others)
            sentence = f"{' and '.join(statements)}, {believed}."
            if others[0].source == top.source:
                values = (statement.partition(" says ")[2] for statement in statements)
                sentence = f"{' and '.join((believed, *values))}."
            found.append(sentence[:1].upper() + sentence[1:])
    return tuple(found)


def contradicting(claims: Iterable[Claim], field: str) -> tuple[Claim, ...]:
    """The claims that contradict the believed one, most trusted first.

    Not hints (tags, examples), nor a source that also says the believed value, except where nothing but that very card
    says it: a card may list two bases, and which one the file is for is not known.
    """
    of_field = _statements(claims, field)
    top = _proof(of_field, field) if len(of_field) > 1 else None
    if top is None:
        return ()
    agreeing = {claim.source for claim in of_field if not values_of(claim).isdisjoint(values_of(top))}
    against = (
        claim
        for claim in of_field
        if claim.source in ("header", "hub", "card")
        and (claim.source not in agreeing or (claim.source == top.source == "card" and field == "architecture"))
        and claim.value != top.value
        and claim.value is not None
        # Only names of base models can be narrower and wider, and so both be true.
        and not (field == "base_model" and _are_related(str(top.value), str(claim.value)))
    )
    return tuple(sorted(against, key=lambda claim: TRUST.index(claim.source)))


def _statements(claims: Iterable[Claim], field: str) -> list[Claim]:
    """The claims of a field that may contradict each other; of the architecture, the several that a file leaves too."""
    fields = (field, SEVERAL) if field == "architecture" else (field,)
    return [claim for claim in claims if claim.field in fields]


def _proof(claims: Iterable[Claim], field: str) -> Claim | None:
    """The most trusted statement about a field, which need not be about one value."""
    stated = (claim for claim in _statements(claims, field) if claim.value not in (None, "", ()))
    return min(stated, key=lambda claim: TRUST.index(claim.source), default=None)


def alternatives(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return the other architectures that the file's layers fit. Return none if a source names one of them."""
    claims = tuple(claims)
    believed, fitting = best_claim(claims, "architecture"), best_claim(claims, SEVERAL)
    if fitting is None or (believed is not None and believed.source != "probably"):
        return ()
    names = fitting.value if isinstance(fitting.value, tuple) else ()
    return tuple(name for name in names if believed is None or name != believed.value)


def values_of(claim: Claim) -> frozenset[object]:
    """The values of which a claim says that one is true."""
    return frozenset(claim.value if isinstance(claim.value, tuple) else (claim.value,))


def _are_related(one_id: str, other_id: str) -> bool:
    one, two = base_models.by_id(one_id), base_models.by_id(other_id)
    if one is None or two is None or one.architecture != two.architecture:
        # An unlisted name may be anything, and two architectures are a contradiction of their own.
        return True
    is_parent = one.id in (two.id, two.parent) or two.id == one.parent
    is_variant = one.id.startswith(two.id) or two.id.startswith(one.id)
    return is_parent or is_variant or one.is_general or two.is_general


def _statement(claims: tuple[Claim, ...], claim: Claim, hub: Origin) -> str:
    """What a source says, in its own words for a base: "SDXL 1.0" is what a person reads on the hub's page."""
    value = f"{claim.value:g}" if isinstance(claim.value, float) else str(claim.value)
    if claim.field in ("architecture", SEVERAL):
        value = base_models.architecture_labels(map(str, values_of(claim)))
    elif claim.field == "base_model":
        value = base_models.label(value)
    if claim.source == "you":
        return f"you say {value}"
    if claim.source == "header":
        return f"the file {_FILE_VERBS.get(claim.field, 'is')} {value}"
    card = f"the {HUBS[hub].description if hub in HUBS else 'model card'}"
    who = card if claim.source == "card" else origin_label(hub) if claim.source == "hub" else "a tag"
    place = ("raw_base_model", claim.source, claim.where)
    if claim.field in ("architecture", "base_model"):
        value = next((str(c.value) for c in claims if (c.field, c.source, c.where) == place), value)
    return f"{who} says {'rank ' if claim.field == 'rank' else ''}{value}"


def with_header(lora: Lora, ref: Ref, facts: LoraFacts) -> Lora:
    """Adds the claims of a file's header before all others, in place of an earlier reading, if `ref` names a file."""
    try:
        version, file = lora.resolve(ref)
    except NotFound:
        return lora
    if file is None:
        return lora
    # A hub hashes the bytes; a script's hash may have been copied from another file.
    read = replace(file, claims=_header_first(file.claims, facts), autov3=file.autov3 or facts.autov3)
    changed = replace(version, files=tuple(read if one is file else one for one in version.files))
    return replace(lora, versions=tuple(changed if one is version else one for one in lora.versions))


def with_own_claims(
    lora: Lora, *, base_model: str | None, trigger_words: tuple[str, ...] | None, weight: float | None
) -> Lora:
    """Adds what the person says of it, before all others. None says nothing; an empty tuple is no trigger words at all.

    A base model that nobody has listed has no architecture, and the file's own stays.
    """
    values: dict[str, Any] = {
        "base_model": base_model,
        "architecture": base_models.architecture_of(base_model) if base_model else None,
        "trigger_words": trigger_words or None,
        "weight": weight,
    }
    own = [Claim(field=name, value=value, source="you", where="your library") for name, value in values.items()]

    def without_own(claims: Iterable[Claim]) -> tuple[Claim, ...]:
        silent = "trigger_words" if trigger_words == () else ""
        return tuple(claim for claim in claims if claim.source != "you" and claim.field != silent)

    versions = tuple(
        replace(
            version,
            claims=without_own(version.claims),
            files=tuple(replace(file, claims=without_own(file.claims)) for file in version.files),
        )
        for version in lora.versions
    )
    said = (claim for claim in own if claim.value is not None)
    return replace(lora, claims=(*said, *without_own(lora.claims)), versions=versions)


def possible(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Leaves out other architectures than the person says or the header proves, and base models on them; of the header
    a size too whose variant another source knows: "flux.2-klein-9b-base"."""
    trusted = [claim for claim in claims if claim.source in ("you", "header")]
    proof = _proof(trusted, "architecture") if trusted else None
    if proof is None:
        return claims
    allowed = values_of(proof)

    def fits(claim: Claim) -> bool:
        if claim.field == "architecture":
            return claim.value in allowed
        return claim.field != "base_model" or base_models.architecture_of(str(claim.value)) in {None, *allowed}

    fitting = tuple(filter(fits, claims))
    bases = [str(claim.value) for claim in fitting if claim.field == "base_model"]
    sizes = {size for size in bases if any(base.startswith(f"{size}-") for base in bases)}
    return tuple(c for c in fitting if (c.field, c.source) != ("base_model", "header") or c.value not in sizes)


def flatten(lora: Lora, version: Version | None = None, file: WeightFile | None = None) -> Record:
    """The Record of one file of one version, by default the default version's main file. Either may be missing."""
    version = version or lora.version(None)
    file = file or (version.file if version else None)
    claims = (*(file.claims if file else ()), *(version.claims if version else ()), *lora.claims)
    return Record(
        ref=file.ref if file else version.ref if version else lora.ref,
        hub=lora.hub,
        title=lora.title,
        creator=lora.creator,
        url=lora.url,
        file=file,
        nsfw=lora.nsfw,
        downloads=lora.downloads,
        likes=lora.likes,
        updated_at=(version.updated_at if version else None) or lora.updated_at,
        images=version.examples if version else (),
        access=shown_access(lora, version),
        **_fields(claims, lora.hub),
    )


def shown_access(lora: Lora, version: Version | None) -> Access:
    """Of a version: what closes the LoRA closes it too."""
    return version.access if version and lora.access == "open" else lora.access


def record_of(lora: Lora, ref: Ref) -> Record:
    """The Record of the version and file that `ref` names. Raises NotFound, except for a LoRA without versions."""
    return flatten(lora, *lora.resolve(ref)) if lora.versions or ref.version else flatten(lora)


def record_with_header(record: Record, facts: LoraFacts) -> Record:
    """Does what `with_header` does, for a record. One that has the header's claims already stays as it is."""
    known = tuple(claim for claim in record.claims if claim.field != "base_license")
    claims = _header_first(known, facts)
    return record if claims == known else replace(record, **_fields(claims, record.hub))


def _header_first(claims: Iterable[Claim], facts: LoraFacts) -> tuple[Claim, ...]:
    """A file that is no LoRA proves nothing but what it is."""
    what = Claim(field="what", value=facts.what, source="header", where="tensor names and shapes")
    proofs = facts.claims if facts.is_lora else (what,)
    return (*proofs, *(claim for claim in claims if claim.source not in ("header", "probably")))


def _fields(claims: tuple[Claim, ...], hub: Origin) -> dict[str, Any]:
    """The fields of a Record that come from claims, the claims, and their conflicts."""
    likely = possible(claims)
    claims = _with_base_license(claims, best_claim(likely, "base_model"))
    fields = {name: best(likely, name) for name in CLAIMED_FIELDS}
    # The recommended weight is the low end of a range whose high end is claimed at the same place.
    low = best_claim(claims, "weight")
    place = ("weight_high", low.source, low.where) if low else None
    high = next((c.value for c in claims if (c.field, c.source, c.where) == place), None)
    is_range = low and isinstance(low.value, float) and isinstance(high, float)
    contradicted = conflicts(claims)
    permissions = permissions_from(hub, fields["license"], best(claims, "license_terms"))
    return {
        **fields,
        "alternatives": alternatives(likely),
        "permissions": {use: permissions.allows(use) if permissions else None for use in get_args(Use)},
        "trigger_words": fields["trigger_words"] or (),
        "weight_range": (low.value, high) if low and is_range else None,
        "claims": claims,
        "conflicts": contradicted,
        "conflict_sentences": sentences(claims, hub) if contradicted else (),
    }


def _with_base_license(claims: tuple[Claim, ...], believed: Claim | None) -> tuple[Claim, ...]:
    """The licence of the base model binds a LoRA too: of the base that is believed, not of one that was refuted."""
    base = base_models.by_id(str(believed.value)) if believed else None
    kept = tuple(claim for claim in claims if claim.field != "base_license")
    if base is None or believed is None or base.license is None:
        return kept
    where = f"licence of {base.label}"
    return (*kept, Claim(field="base_license", value=base.license, source=believed.source, where=where))


# "nightbus_wan22_low_noise", "LowNoise", "boats-low"; not a style that is called "low poly".
_NOISE = re.compile(r"(high|low)(?=[ _.-]?noise)|(?<=[ _.-])(high|low)$", re.IGNORECASE)


def noise_of(name: str) -> Literal["high", "low"] | None:
    """The expert that a file, version or title names; None where it names neither or both."""
    found = {(noise or end).lower() for noise, end in _NOISE.findall(name.removesuffix(".safetensors"))}
    return None if len(found) != 1 else "high" if "high" in found else "low"


def other_half(lora: Lora, ref: Ref) -> Ref | None:
    """The file for a Wan LoRA's other expert, if exactly one has the same name except for the noise.

    On Hugging Face both are in one repo. On CivitAI they are two files of one version, or two versions.
    """
    version = lora.version(ref.version)
    file = next((file for file in version.files if file.ref == ref), None) if version else None
    if version is None or file is None or flatten(lora, version, file).architecture != "wan":
        return None
    name, others = file.name, [(other.name, other.ref) for other in _weights(version)]
    if noise_of(name) is None:
        name = version.name
        others = [(other.name, files[0].ref) for other in lora.versions if len(files := _weights(other)) == 1]
    noise = noise_of(name)
    wanted = (_without_noise(name), "low" if noise == "high" else "high")
    found = [ref for other, ref in others if (_without_noise(other), noise_of(other)) == wanted]
    return found[0] if noise is not None and len(found) == 1 else None


def _weights(version: Version) -> list[WeightFile]:
    return [file for file in version.files if file.format == "safetensors"]


def _without_noise(name: str) -> str:
    return _NOISE.sub("*", name.removesuffix(".safetensors")).casefold()
