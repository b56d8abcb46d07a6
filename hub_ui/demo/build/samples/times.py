"""Deterministic dates and names that look random."""

import hashlib
from datetime import UTC, date, datetime, timedelta


def stamp(today: date, days: int, salt: str) -> datetime:
    """A moment on the day `days` before `today`, at an hour that follows from `salt`."""
    seconds = int(stable_hex("time", salt)[:8], 16) % 72_000 + 3_600
    return datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(days=days) + timedelta(seconds=seconds)


def iso_milliseconds(moment: datetime) -> str:
    """As CivitAI and Hugging Face write it: 2026-08-11T21:25:04.626Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_microseconds(moment: datetime) -> str:
    """As Replicate writes it: 2024-08-26T22:20:53.439796Z."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def stable_hex(*words: str) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def stable_number(*words: str, below: int) -> int:
    return int(stable_hex(*words)[:12], 16) % below
