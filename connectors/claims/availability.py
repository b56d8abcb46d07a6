"""Whether a file can be had: every way CivitAI has said so over the years, and Hugging Face's gates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.http.json_fields import Table, flag, number, table, text, when
from connectors.record import Access, Claim, Source

_WITHDRAWN = ("Deleted", "Unpublished", "UnpublishedViolation")
# A word beside these was added later, or names a state that nobody outside sees: never taken for open.
_PUBLISHED = ("Published",)
_AVAILABLE = ("Public", "Unsearchable", "EarlyAccess")


@dataclass(frozen=True, kw_only=True, slots=True)
class Availability:
    """Whether it can be had, the sentence that explains why not, and the field that says so (None: nothing does)."""

    access: Access
    note: str | None = None
    said_by: str | None = None

    def claims(self, at: str = "", source: Source = "hub") -> tuple[Claim, ...]:
        if self.said_by is None:
            return ()
        return (Claim(field="access", value=self.access, source=source, where=f"{at}{self.said_by}"),)


_OPEN = Availability(access="open")


def lora_standing(model: Table) -> Availability:
    """`mode` is absent, Archived (no files), or TakenDown (no images either). An unknown one is not open either."""
    mode = text(model.get("mode"), 40)
    if mode == "Archived":
        return Availability(access="archived", note="Its author archived it.", said_by="mode")
    if mode == "TakenDown":
        return Availability(access="removed", note="CivitAI took it down.", said_by="mode")
    return _OPEN if mode is None else _withheld(mode, "mode")


def version_standing(version: Table, now: datetime) -> Availability:
    usage = text(version.get("usageControl"))
    if usage not in (None, "Download"):
        note = "Its author allows generation on CivitAI only."
        return Availability(access="generation-only", note=note, said_by="usageControl")
    if text(version.get("status")) in _WITHDRAWN:
        return Availability(access="removed", note="Its author took it back.", said_by="status")
    for field, known in (("status", _PUBLISHED), ("availability", _AVAILABLE)):
        word = text(version.get(field), 40)
        if word is not None and word not in known:
            return _withheld(word, field)
    paid = _early(version, now) if version.get("paidAccess") is None else _paid(table(version["paidAccess"]), now)
    if paid.access == "open" and flag(version.get("requireAuth")):
        note = "Its author lets only people with a CivitAI key download it."
        return Availability(access="login", note=note, said_by="requireAuth")
    return Availability(access="open", said_by="usageControl") if paid is _OPEN and usage else paid


def _withheld(word: str, field: str) -> Availability:
    return Availability(
        access="archived", note=f"CivitAI gives its state as “{word}”, so it can't be downloaded.", said_by=field
    )


def _early(version: Table, now: datetime) -> Availability:
    until, said_by = _early_access_end(version)
    if until is not None and until > now:
        return Availability(access="paid", note=early_access_note(until, now), said_by=said_by)
    # Between August 2024 and July 2026 the word alone could say it, in answers that carry no date.
    if until is None and text(version.get("availability")) == "EarlyAccess":
        return Availability(access="paid", note="In early access on CivitAI.", said_by="availability")
    return _OPEN


def _paid(paid: Table, now: datetime) -> Availability:
    """Since July 2026: {"permanent": bool, "endsAt": ISO or null}; neither means it is over."""
    if flag(paid.get("permanent")):
        return Availability(access="paid", note="Sold on CivitAI.", said_by="paidAccess")
    until = moment(paid.get("endsAt"))
    if until is not None and until > now:
        return Availability(access="paid", note=early_access_note(until, now), said_by="paidAccess")
    return Availability(access="open", said_by="paidAccess")


def _early_access_end(version: Table) -> tuple[datetime | None, str | None]:
    """Until August 2024 a number of days after publishing; then a deadline under one of two names."""
    for key in ("earlyAccessEndsAt", "earlyAccessDeadline"):
        if until := moment(version.get(key)):
            return until, key
    days, published = number(version.get("earlyAccessTimeFrame")), moment(version.get("publishedAt"))
    if days and 0 < days < 1000 and published:
        return published + timedelta(days=days), "earlyAccessTimeFrame"
    return None, None


def huggingface_standing(gated: object, disabled: object, front: Table) -> Availability:
    """`gated` is false, "auto" or "manual", and None where only the card is known: its gate has a form of its own."""
    if disabled is True:
        return Availability(access="removed", note="Hugging Face took it down.", said_by="disabled")
    if gated == "auto":
        note = "Access comes with agreeing to its terms, on the repo's own page."
        return Availability(access="gated", note=note, said_by="gated")
    form = next((str(key) for key in front if str(key).startswith("extra_gated_")), None)
    if gated or (gated is None and form):
        note = "The author grants access one by one, on the repo's own page."
        return Availability(access="gated", note=note, said_by="gated" if gated else f"card front matter: {form}")
    return Availability(access="open", said_by="gated" if gated is False else None)


def early_access_note(until: datetime, now: datetime) -> str:
    left = until - now
    hours = int(left.total_seconds() // 3600)
    span = f"{hours // 24} more days" if hours >= 48 else f"{hours} more hours" if hours > 1 else "less than two hours"
    return f"Early access for {span}, until {until:%Y-%m-%d %H:%M} UTC."


def moment(value: object) -> datetime | None:
    found = when(value)
    try:
        return datetime.fromisoformat(found.replace("Z", "+00:00")) if found else None
    except ValueError:
        return None
