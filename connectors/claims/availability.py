"""Whether a file can be downloaded: every way CivitAI has said so over the years, and Hugging Face's gates."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.http.json_fields import Table, flag, number, table, text, when
from connectors.record import Access, Claim, Source

_WITHDRAWN = ("Deleted", "Unpublished", "UnpublishedViolation")
# Any other word is newer, or the name of an internal state, and doesn't count as open.
_OPEN_WORDS = {"status": ("Published",), "availability": ("Public", "Unsearchable", "EarlyAccess")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Availability:
    """`note` explains why a file can't be downloaded; `field` is the hub's field that says so, if there is one."""

    access: Access
    note: str | None = None
    field: str | None = None

    def claims(self, at: str = "", source: Source = "hub") -> tuple[Claim, ...]:
        if self.field is None:
            return ()
        return (Claim(field="access", value=self.access, source=source, where=f"{at}{self.field}"),)


_OPEN = Availability(access="open")


def lora_availability(model: Table) -> Availability:
    """`mode` is absent, Archived (no files), or TakenDown (no images either). An unknown mode is not open."""
    mode = text(model.get("mode"), 40)
    if mode == "Archived":
        return Availability(access="archived", note="Its author archived it.", field="mode")
    if mode == "TakenDown":
        return Availability(access="removed", note="CivitAI took it down.", field="mode")
    return _OPEN if mode is None else _unknown_state(mode, "mode")


def version_availability(version: Table, now: datetime) -> Availability:
    usage = text(version.get("usageControl"))
    if usage not in (None, "Download"):
        note = "Its author allows generation on CivitAI only."
        return Availability(access="generation-only", note=note, field="usageControl")
    if text(version.get("status")) in _WITHDRAWN:
        return Availability(access="removed", note="Its author took it back.", field="status")
    for field, words in _OPEN_WORDS.items():
        word = text(version.get(field), 40)
        if word is not None and word not in words:
            return _unknown_state(word, field)
    found = _sale(version, now)
    if found.access == "open" and flag(version.get("requireAuth")):
        note = "Its author lets only people with a CivitAI key download it."
        return Availability(access="login", note=note, field="requireAuth")
    return Availability(access="open", field="usageControl") if found is _OPEN and usage else found


def _unknown_state(word: str, field: str) -> Availability:
    note = f"CivitAI gives its state as “{word}”, so it can't be downloaded."
    return Availability(access="archived", note=note, field=field)


def _sale(version: Table, now: datetime) -> Availability:
    """Since July 2026: {"permanent": bool, "endsAt": ISO or null}, where neither means that the sale is over."""
    if version.get("paidAccess") is not None:
        paid = table(version["paidAccess"])
        if flag(paid.get("permanent")):
            return Availability(access="paid", note="Sold on CivitAI.", field="paidAccess")
        ends = {"paidAccess": moment(paid.get("endsAt"))}
        over = Availability(access="open", field="paidAccess")
    else:
        # Until August 2024 a number of days after publishing; then a deadline under one of two names.
        ends = {key: moment(version.get(key)) for key in ("earlyAccessEndsAt", "earlyAccessDeadline")}
        days, start = number(version.get("earlyAccessTimeFrame")), moment(version.get("publishedAt"))
        if days and 0 < days < 1000 and start:
            ends["earlyAccessTimeFrame"] = start + timedelta(days=days)
        over = _OPEN
    field, until = next(((key, end) for key, end in ends.items() if end), ("", None))
    if until is not None and until > now:
        return Availability(access="paid", note=early_access_note(until, now), field=field)
    # Between August 2024 and July 2026 an answer could carry this word without a date.
    if until is None and over is _OPEN and text(version.get("availability")) == "EarlyAccess":
        return Availability(access="paid", note="In early access on CivitAI.", field="availability")
    return over


def huggingface_availability(gated: object, disabled: object, front: Table) -> Availability:
    """`gated` is false, "auto" or "manual"; None where only the card is known, which describes the form of its gate."""
    if disabled is True:
        return Availability(access="removed", note="Hugging Face took it down.", field="disabled")
    if gated == "auto":
        note = "Access comes with agreeing to its terms, on the repo's own page."
        return Availability(access="gated", note=note, field="gated")
    form = next((str(key) for key in front if str(key).startswith("extra_gated_")), None)
    if gated or (gated is None and form):
        note = "The author grants access one by one, on the repo's own page."
        return Availability(access="gated", note=note, field="gated" if gated else f"card front matter: {form}")
    return Availability(access="open", field="gated" if gated is False else None)


def early_access_note(until: datetime, now: datetime) -> str:
    hours = int((until - now).total_seconds() // 3600)
    span = f"{hours // 24} more days" if hours >= 48 else f"{hours} more hours" if hours > 1 else "less than two hours"
    return f"Early access for {span}, until {until:%Y-%m-%d %H:%M} UTC."


def moment(value: object) -> datetime | None:
    found = when(value)
    try:
        return datetime.fromisoformat(found.replace("Z", "+00:00")) if found else None
    except ValueError:
        return None
