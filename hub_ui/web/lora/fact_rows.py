"""The rows of "What it is": each value with its source, contradictions, and facts from the file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from connectors.claims import base_models
from connectors.claims.resolve import best_claim, contradicting, values_of
from connectors.record import SEVERAL, Claim, Record
from connectors.registry import HUBS, origin_label
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import LoraFacts
from hub_ui.base import format
from hub_ui.base.i18n import N_, _, language, ngettext
from hub_ui.web.layout.render import WORDS, word

MOST_RANKS = 4
MOST_TAGS = 8
HEADER = N_("the file's header")
ALGORITHMS: Mapping[str, str] = {
    "boft": "BOFT", "diff": N_("whole differences"), "dora": "DoRA", "full": N_("whole differences"), "glora": "GLoRA",
    "ia3": "(IA)³", "locon": "LoCon", "loha": "LoHa", "lokr": "LoKr", "lora": "LoRA", "oft": "OFT",
}  # fmt: skip
FORMATS: Mapping[str, str] = {
    "ai-toolkit": "ai-toolkit, ComfyUI", "bfl-control": "Black Forest Labs", "cloneofsimo": "cloneofsimo (2022)",
    "diffusers-attn-procs": "diffusers (2023)", "diffusers-old": "diffusers, older names", "kohya": "kohya",
    "lycoris": "LyCORIS", "nunchaku": "Nunchaku (SVDQuant)", "onetrainer": "OneTrainer", "peft": "PEFT",
    "peft-default-bare": "PEFT, bare names", "xlabs": "XLabs",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One row. `where` is the exact place, shown on hover; `others` are contradicting values with who says them.

    `term` is the word of the glossary that explains it.
    """

    name: str
    value: str
    source: str
    where: str
    term: str = ""
    others: tuple[str, ...] = ()


def rows(record: Record, facts: Facts | None) -> tuple[Fact, ...]:
    """Unknown facts have no row."""
    adapter = facts.adapter if facts is not None and facts.adapter.is_lora else None
    claims, license_ = (
        [claim_fact(record, adapter, field, *row) for field, row in WORDS[table].items()]
        for table in ("claimed", "licence")
    )
    header = header_facts(adapter) if adapter is not None else ()
    return tuple(fact for fact in (*claims, alternative_fact(record), *header, *license_) if fact is not None)


def claim_fact(record: Record, adapter: LoraFacts | None, field: str, name: str, term: str) -> Fact | None:
    value = getattr(record, field, None)
    claims = tuple(c for c in record.claims if c.value == value) if field in Record.__slots__ else record.claims
    claim = best_claim(claims, field)
    if claim is None or claim.value is False or (field == "scan" and claim.value == "Success"):
        return None
    others = contradicting(record.claims, field) if field in record.conflicts else ()
    text = ""
    # The file may say more than the claim.
    if claim.source == "header" and adapter is not None:
        if field == "rank":
            text = ranks(adapter.ranks)
        elif field == "alpha" and adapter.alpha is not None and adapter.scale is not None:
            text = f"{adapter.alpha:g} ({scale(adapter.scale)})"
    return Fact(
        name=_(name),
        value=text or claim_text(record, claim),
        source=source_word(claim.source, record.hub),
        where=format.visible(claim.where),
        term=term,
        others=tuple(dict.fromkeys(contradiction(record, other) for other in others)),
    )


def alternative_fact(record: Record) -> Fact | None:
    """Name the other architectures that the file may be for. None if its architecture is certain."""
    if not record.alternatives:
        return None
    labels = base_models.architecture_labels(record.alternatives)
    return _fact(_("May also be for"), labels, "architecture", "tensor names and shapes")


def source_word(name: str, hub: str) -> str:
    """Who says so: a hub by its name, and its text by what the hub calls it: a model card or a description."""
    if name == "hub":
        return _(origin_label(hub))
    return _(HUBS[hub].description) if name == "card" and hub in HUBS else word("source", name)


def contradiction(record: Record, claim: Claim) -> str:
    """The base in the words of its source: "SDXL 1.0" is what a person sees on the hub's page."""
    source = source_word(claim.source, record.hub)
    source = {"header": _("The file"), "card": _("the {source}").format(source=source)}.get(claim.source, source)
    raw = None
    if claim.field in ("architecture", "base_model"):
        written = (c for c in record.claims if c.field == "raw_base_model" and c.source == claim.source)
        raw = next((c.value for c in written if c.where == claim.where), None)
    value = format.visible(str(raw)) if raw else claim_text(record, claim)
    return _("{source} says {value}").format(source=source, value=value)


def claim_text(record: Record, claim: Claim) -> str:
    if claim.field in ("architecture", SEVERAL):
        return base_models.architecture_labels(map(str, values_of(claim)))
    if claim.field == "base_model":
        return format.base_label(record)
    if claim.field == "kind":
        return _(str(claim.value))
    if claim.field == "algorithm":
        return names(ALGORITHMS, str(claim.value))
    if claim.field == "weight":
        return record.weight_text
    if claim.value is True:
        return _("yes")
    if isinstance(claim.value, tuple):
        return format.visible(", ".join(claim.value))
    return f"{claim.value:g}" if isinstance(claim.value, float) else format.visible(str(claim.value))


def header_facts(adapter: LoraFacts) -> Iterator[Fact]:
    if adapter.alpha is None and adapter.scale is not None and abs(adapter.scale - 1) > 0.005:
        yield _fact(_("Scale"), scale(adapter.scale), "scale")
    if adapter.format:
        yield _fact(_("Format"), names(FORMATS, adapter.format), "format", "tensor names")
    text = _("changed too") if adapter.text_encoder else _("unchanged")
    yield _fact(_("Text encoder"), text, "text-encoder", "tensor names")
    if adapter.control:
        yield _fact(_("Control"), _("needs an image that gives the structure"), "control", "tensor shapes")
    if adapter.tags:
        shown = ", ".join(format.visible(tag) for tag in adapter.tags[:MOST_TAGS])
        yield _fact(_("Trained on"), shown, "training-tags", "ss_tag_frequency")
    yield _fact(_("Tensors"), language().number(adapter.tensors), "tensors", "tensor names")


def _fact(name: str, value: str, term: str, where: str = HEADER) -> Fact:
    return Fact(name=name, value=value, source=word("source", "header"), where=_(where), term=term)


def ranks(counted: Mapping[int, int]) -> str:
    """One rank as a number; several with their layers, the most layers first: "32 (840 layers), 16 (48)"."""
    if len(counted) < 2:
        return str(next(iter(counted), ""))
    often = sorted(counted, key=lambda rank: -counted[rank])
    first, *others = often[:MOST_RANKS]
    with_layers = _("{rank} ({count} layers)").format(rank=first, count=counted[first])
    shown = ", ".join([with_layers, *(f"{rank} ({counted[rank]})" for rank in others)])
    left = len(often) - MOST_RANKS
    text = _("{ranks} and {count} more, {least} to {most}")
    return text.format(ranks=shown, count=left, least=min(often), most=max(often)) if left > 0 else shown


def scale(factor: float) -> str:
    """What weight 1.0 comes to: "scale 0.5, so weight 1.0 is half strength"."""
    if abs(factor - 1) < 0.005:
        return _("scale 1.0")
    strength = _("{percent} % of full strength").format(percent=f"{100 * factor:.3g}")
    strength = word("strength", f"{factor:.3g}") or strength
    return _("scale {factor}, so weight 1.0 is {strength}").format(factor=f"{factor:.3g}", strength=strength)


def names(table: Mapping[str, str], text: str) -> str:
    """Of each part of "lokr+dora", as people know it."""
    return " + ".join(_(table[part]) if part in table else format.visible(part) for part in text.split("+"))


MOST_WORDS = 3
LONGEST_WORD = 40


# What may differ between two versions, the most important first.
CHANGES: tuple[tuple[Callable[[Record], str], str], ...] = (
    (format.base_label, N_("base {before} → {after}")),
    (lambda record: str(record.rank or ""), N_("rank {before} → {after}")),
    (lambda record: names(ALGORITHMS, record.algorithm or ""), N_("algorithm {before} → {after}")),
    (lambda record: record.weight_text, N_("weight {before} → {after}")),
)


def describe_changes(older: Record, newer: Record) -> Iterator[str]:
    """What only one of the two says is no change that anybody knows of."""
    for value, text in CHANGES:
        before, after = value(older), value(newer)
        if before and after and before != after:
            yield _(text).format(before=before, after=after)
    sizes = [record.file.size for record in (older, newer) if record.file and record.file.size]
    # Metadata changes a file by a little.
    if len(sizes) == 2 and abs(sizes[1] - sizes[0]) > sizes[0] / 10:
        before, after = (format.size(size) for size in sizes)
        if before != after:
            yield _("size {before} → {after}").format(before=before, after=after)
    known, now = ({word.casefold() for word in record.trigger_words} for record in (older, newer))
    added = [word for word in newer.trigger_words if word.casefold() not in known]
    removed = [word for word in older.trigger_words if word.casefold() not in now]
    if added:
        yield ngettext("new trigger word {words}", "new trigger words {words}", len(added)).format(words=_list(added))
    if known and not now:
        yield _("no trigger word any more")
    elif removed:
        text = ngettext("without the trigger word {words}", "without the trigger words {words}", len(removed))
        yield text.format(words=_list(removed))


def _list(words: list[str]) -> str:
    shown = ", ".join(f"“{format.visible(word)[:LONGEST_WORD]}”" for word in words[:MOST_WORDS])
    left = len(words) - MOST_WORDS
    return _("{words} and {count} more").format(words=shown, count=left) if left > 0 else shown
