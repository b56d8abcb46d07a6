"""Addresses of hubs' pictures as addresses of this page: no visitor's browser asks a host that a stranger named."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

PATH = "hub-picture"
LONGEST = 4000


@dataclass(frozen=True, kw_only=True)
class ImageLinks:
    """Links are signed, so that the page fetches what it showed itself and nothing else."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def link(self, url: str, hub: str) -> str:
        """Relative to the page, for a picture that `hub` has named; empty for what is no web address."""
        if not is_web_address(url) or len(url) > LONGEST:
            return ""
        return f"{PATH}?{urlencode({'url': url, 'hub': hub, 'signed': self._signature(url, hub)})}"

    def read(self, query: Mapping[str, str]) -> tuple[str, str] | None:
        """The address and the hub that a link was made of; None for one that is not ours."""
        url, hub = query.get("url", ""), query.get("hub", "")
        return (url, hub) if hmac.compare_digest(self._signature(url, hub), query.get("signed", "")) else None

    def _signature(self, url: str, hub: str) -> str:
        return hmac.digest(self.secret, f"{hub} {url}".encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def is_web_address(url: str) -> bool:
    """Hub text may hold javascript: or data: addresses."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
