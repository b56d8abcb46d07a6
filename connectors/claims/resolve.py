"""The resolution of claims to values: a record has the best claims of its LoRA, version and file."""

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

# Falling trust in what a source says about a file. Of equal sources the first claim wins, because connectors sort their
# claims by trust. The user's own statement wins for their library, and the contradiction is shown.
TRUST: tuple[Source, ...] = ("you", "header", "hub", "card", "tag", "size", "example", "probably", "usage")
# Fields that state an author's intention, for which the author's words on a hub count more than a file's metadata.
_AUTHOR_FIELDS = frozenset({"trigger_words", "weight", "kind", "license"})
_AUTHOR_TRUST: tuple[Source, ...] = ("you", "hub", "card", "header", "tag", "size", "example", "probably", "usage")


def best(claims: Iterable[Claim], field: str) -> Any:
    """Return the most trusted non-empty value, or None."""
    claim = best_claim(claims, field)
    return claim.value if claim else None


def best_claim(claims: Iterable[Claim], field: str) -> Claim | None:
    """Return the claim with the value that `best` returns."""
    stated = [claim for claim in claims if claim.field == field and claim.value not in (None, "", ())]
    # A fast path for nearly all fields, because each LoRA that is added or shown has a dozen of them.
    if len(stated) < 2:
        return stated[0] if stated else None
    order = _AUTHOR_TRUST if field in _AUTHOR_FIELDS else TRUST
    return min(stated, key=lambda claim: order.index(claim.source))


# Fields whose values exclude each other; two lists of trigger words don't. "what" is claimed by the header of a file
# that is not a LoRA, although a hub lists it as one.
EXCLUSIVE: tuple[str, ...] = ("what", "architecture", "base_model", "rank", "algorithm")
_FILE_VERBS = {"rank": "has rank", "base_model": "says"}


def conflicts(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return the fields with a claim from another source that contradicts the believed claim."""
    claims = tuple(claims)
    # A claim of "what" is a contradiction by itself. A base model on another architecture is not a second
    # contradiction.
    fields = [
        field for field in EXCLUSIVE if (best(claims, field) if field == "what" else contradicting(claims, field))
    ]
    return tuple(field for field in fields if field != "base_model" or "architecture" not in fields)


def sentences(claims: Iterable[Claim], hub: Origin) -> tuple[str, ...]:
    """Return one sentence for each of `conflicts`: "CivitAI says SDXL 1.0, the file is FLUX.1.", in the same order."""
    claims = tuple(claims)
    result = []
    for field in conflicts(claims):
        top = _proof(claims, field)
        if top is not None and field == "what":
            file = {str(what): words for what, words in WORDS.items()}.get(str(top.value), "something else")
            result.append(f"{origin_label(hub)} lists it as a LoRA, the file is {file}.")
        elif top is not None:
            others, believed = contradicting(claims, field), _statement(claims, top, hub)
            statements = dict.fromkeys(_statement(claims, claim, hub) for claim in others)
            sentence = f"{' and '.join(statements)}, {believed}."
            if others[0].source == top.source:
                values = (statement.partition(" says ")[2] for statement in statements)
                sentence = f"{' and '.join((believed, *values))}."
            result.append(sentence[:1].upper() + sentence[1:])
    return tuple(result)


def contradicting(claims: Iterable[Claim], field: str) -> tuple[Claim, ...]:
    """Return the claims that contradict the believed claim, most trusted first.

    Hints (tags, examples) are left out, and so is a source that also states the believed value. The exception is an
    architecture that only a card states: if the card lists two bases, it is unknown which of them the file is for.
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
        # Names of base models may be narrower or wider, so that both can be true.
        and not (field == "base_model" and _are_related(str(top.value), str(claim.value)))
    )
    return tuple(sorted(against, key=lambda claim: TRUST.index(claim.source)))


def _statements(claims: Iterable[Claim], field: str) -> list[Claim]:
    """Return the claims of a field that may contradict each other.

    For "architecture", include the claims of SEVERAL.
    """
    fields = (field, SEVERAL) if field == "architecture" else (field,)
    return [claim for claim in claims if claim.field in fields]


def _proof(claims: Iterable[Claim], field: str) -> Claim | None:
    """Return the most trusted statement about a field, which may allow several values."""
    stated = (claim for claim in _statements(claims, field) if claim.value not in (None, "", ()))
    return min(stated, key=lambda claim: TRUST.index(claim.source), default=None)


def alternatives(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return the other architectures that the file's layers fit. Return () if a source names the architecture."""
    claims = tuple(claims)
    believed, fitting = best_claim(claims, "architecture"), best_claim(claims, SEVERAL)
    if fitting is None or (believed is not None and believed.source != "probably"):
        return ()
    names = fitting.value if isinstance(fitting.value, tuple) else ()
    return tuple(name for name in names if believed is None or name != believed.value)


def values_of(claim: Claim) -> frozenset[object]:
    """Return the values that a claim allows."""
    return frozenset(claim.value if isinstance(claim.value, tuple) else (claim.value,))


def _are_related(one_id: str, other_id: str) -> bool:
    one, two = base_models.by_id(one_id), base_models.by_id(other_id)
    if one is None or two is None or one.architecture != two.architecture:
        # An unlisted name may mean any model, and two architectures are a contradiction of their own field.
        return True
    is_parent = one.id in (two.id, two.parent) or two.id == one.parent
    is_variant = one.id.startswith(two.id) or two.id.startswith(one.id)
    return is_parent or is_variant or one.is_general or two.is_general


def _statement(claims: tuple[Claim, ...], claim: Claim, hub: Origin) -> str:
    """Return the statement of a source, for a base in the source's own words: "SDXL 1.0", as on the hub's page."""
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
    source = card if claim.source == "card" else origin_label(hub) if claim.source == "hub" else "a tag"
    place = ("raw_base_model", claim.source, claim.where)
    if claim.field in ("architecture", "base_model"):
        value = next((str(c.value) for c in claims if (c.field, c.source, c.where) == place), value)
    return f"{source} says {'rank ' if claim.field == 'rank' else ''}{value}"


def with_header(lora: Lora, ref: Ref, facts: LoraFacts) -> Lora:
    """Return the LoRA with the header's claims before the file's other claims, if `ref` names a file.

    Claims of an earlier reading of the header are replaced.
    """
    try:
        version, file = lora.resolve(ref)
    except NotFound:
        return lora
    if file is None:
        return lora
    # The hub computes the hash from the bytes. A script's hash may have been copied from another file.
    read_file = replace(file, claims=_header_first(file.claims, facts), autov3=file.autov3 or facts.autov3)
    changed = replace(version, files=tuple(read_file if item is file else item for item in version.files))
    return replace(lora, versions=tuple(changed if item is version else item for item in lora.versions))


def with_own_claims(
    lora: Lora, *, base_model: str | None, trigger_words: tuple[str, ...] | None, weight: float | None
) -> Lora:
    """Return the LoRA with the user's own claims before all others.

    An argument that is None makes no claim. `trigger_words` () removes all claims of trigger words. An unlisted base
    model has no architecture, so the file's architecture remains.
    """
    values: dict[str, Any] = {
        "base_model": base_model,
        "architecture": base_models.architecture_of(base_model) if base_model else None,
        "trigger_words": trigger_words or None,
        "weight": weight,
    }
    own_claims = [Claim(field=name, value=value, source="you", where="your library") for name, value in values.items()]

    def without_own(claims: Iterable[Claim]) -> tuple[Claim, ...]:
        ignored_field = "trigger_words" if trigger_words == () else ""
        return tuple(claim for claim in claims if claim.source != "you" and claim.field != ignored_field)

    versions = tuple(
        replace(
            version,
            claims=without_own(version.claims),
            files=tuple(replace(file, claims=without_own(file.claims)) for file in version.files),
        )
        for version in lora.versions
    )
    stated_claims = (claim for claim in own_claims if claim.value is not None)
    return replace(lora, claims=(*stated_claims, *without_own(lora.claims)), versions=versions)


def possible(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """Return the claims without architectures, and base models on them, that the user or the header rules out.

    A base model that the header claims for its size is left out too if another source names a variant of it:
    "flux.2-klein-9b-base".
    """
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
    """Return the Record of one file of one version, by default the default version's main file.

    Either may be missing.
    """
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
    """Return the access of a version, or the LoRA's access if the LoRA itself is not open."""
    return version.access if version and lora.access == "open" else lora.access


def record_of(lora: Lora, ref: Ref) -> Record:
    """Return the Record of the version and file that `ref` names.

    Raises NotFound, except for a LoRA without versions.
    """
    return flatten(lora, *lora.resolve(ref)) if lora.versions or ref.version else flatten(lora)


def record_with_header(record: Record, facts: LoraFacts) -> Record:
    """Return the record with the header's claims, as `with_header` does for a LoRA.

    A record that has these claims already is returned unchanged.
    """
    other_claims = tuple(claim for claim in record.claims if claim.field != "base_license")
    claims = _header_first(other_claims, facts)
    return record if claims == other_claims else replace(record, **_fields(claims, record.hub))


def _header_first(claims: Iterable[Claim], facts: LoraFacts) -> tuple[Claim, ...]:
    """Return the header's claims before the others. The header of a file that is not a LoRA proves only its type."""
    what = Claim(field="what", value=facts.what, source="header", where="tensor names and shapes")
    proofs = facts.claims if facts.is_lora else (what,)
    return (*proofs, *(claim for claim in claims if claim.source not in ("header", "probably")))


def _fields(claims: tuple[Claim, ...], hub: Origin) -> dict[str, Any]:
    """Return the fields of a Record that depend on claims, with the claims and their conflicts."""
    likely = possible(claims)
    claims = _with_base_license(claims, best_claim(likely, "base_model"))
    fields = {name: best(likely, name) for name in CLAIMED_FIELDS}
    # The recommended weight is the low end of a range. The high end is claimed at the same place.
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
    """Return the claims with the licence of the believed base model, which binds a LoRA too."""
    base = base_models.by_id(str(believed.value)) if believed else None
    other_claims = tuple(claim for claim in claims if claim.field != "base_license")
    if base is None or believed is None or base.license is None:
        return other_claims
    where = f"licence of {base.label}"
    return (*other_claims, Claim(field="base_license", value=base.license, source=believed.source, where=where))


# "nightbus_wan22_low_noise", "LowNoise", "boats-low"; but not a style named "low poly".
_NOISE = re.compile(r"(high|low)(?=[ _.-]?noise)|(?<=[ _.-])(high|low)$", re.IGNORECASE)


def noise_of(name: str) -> Literal["high", "low"] | None:
    """Return the expert that a file, version or title names. Return None if it names neither or both."""
    names = {(noise or end).lower() for noise, end in _NOISE.findall(name.removesuffix(".safetensors"))}
    return None if len(names) != 1 else "high" if "high" in names else "low"


def other_half(lora: Lora, ref: Ref) -> Ref | None:
    """Return the file for a Wan LoRA's other expert, if exactly one has the same name except for the noise.

    On Hugging Face both files are in one repo. On CivitAI they are two files of one version, or two versions.
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
    matching = [ref for other, ref in others if (_without_noise(other), noise_of(other)) == wanted]
    return matching[0] if noise is not None and len(matching) == 1 else None


def _weights(version: Version) -> list[WeightFile]:
    return [file for file in version.files if file.format == "safetensors"]


def _without_noise(name: str) -> str:
    return _NOISE.sub("*", name.removesuffix(".safetensors")).casefold()
