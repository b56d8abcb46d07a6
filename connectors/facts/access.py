"""Whether a file can be had: every way CivitAI has said so over the years, and Hugging Face's gates."""

from __future__ import annotations

from datetime import datetime, timedelta

from connectors.record import Access
from connectors.wire import Table, flag, number, table, text, when

_WITHDRAWN = ("Deleted", "Unpublished", "UnpublishedViolation")


def lora_access(model: Table) -> Access:
    """`mode` is absent, Archived (no files), or TakenDown (no images either)."""
    mode = text(model.get("mode"))
    return {"Archived": "archived", "TakenDown": "removed"}.get(mode or "", "open")  # type: ignore[return-value]


def version_access(version: Table, now: datetime) -> tuple[Access, str | None]:
    """The access and, where there is one, the sentence that explains it."""
    usage = text(version.get("usageControl"))
    if usage not in (None, "Download"):
        return "generation-only", "Its author allows generation on CivitAI only."
    if text(version.get("status")) in _WITHDRAWN:
        return "removed", "Its author took it back."
    if version.get("paidAccess") is not None:
        access, note = _paid(table(version["paidAccess"]), now)
    else:
        access, note = _early(version, now)
    if access == "open" and flag(version.get("requireAuth")):
        return "login", "Its author lets only people with a CivitAI key download it."
    return access, note


def _early(version: Table, now: datetime) -> tuple[Access, str | None]:
    until = _early_access_end(version)
    if until is not None and until > now:
        return "paid", early_access_note(until, now)
    # Between August 2024 and July 2026 the word alone could say it, in answers that carry no date.
    if until is None and text(version.get("availability")) == "EarlyAccess":
        return "paid", "In early access on CivitAI."
    return "open", None


def _paid(paid: Table, now: datetime) -> tuple[Access, str | None]:
    """Since July 2026: {"permanent": bool, "endsAt": ISO or null}; neither means it is over."""
    if flag(paid.get("permanent")):
        return "paid", "Sold on CivitAI."
    until = moment(paid.get("endsAt"))
    if until is not None and until > now:
        return "paid", early_access_note(until, now)
    return "open", None


def _early_access_end(version: Table) -> datetime | None:
    """Until August 2024 a number of days after publishing; then a deadline under one of two names."""
    for key in ("earlyAccessEndsAt", "earlyAccessDeadline"):
        if until := moment(version.get(key)):
            return until
    days, published = number(version.get("earlyAccessTimeFrame")), moment(version.get("publishedAt"))
    return published + timedelta(days=days) if days and 0 < days < 1000 and published else None


def huggingface_access(gated: object, disabled: object, front: Table) -> tuple[Access, str | None]:
    """`gated` is false, "auto" or "manual", and None where only the card is known: its gate has a form of its own."""
    if disabled is True:
        return "removed", "Hugging Face took it down."
    if gated == "auto":
        return "gated", "Access comes with agreeing to its terms, on the repo's own page."
    if gated or (gated is None and any(str(key).startswith("extra_gated_") for key in front)):
        return "gated", "The author grants access one by one, on the repo's own page."
    return "open", None


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
