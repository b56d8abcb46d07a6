"""The cookie by which a hosted page knows its visitors, and how the page's other cookies are set."""

from collections.abc import Mapping

from starlette.requests import cookie_parser

COOKIE = "hub-ui-visitor"


def read_visitor(headers: Mapping[str, str]) -> str:
    """The cookie's value, empty if there is none."""
    return cookie_parser(headers.get("cookie") or "").get(COOKIE, "")


def cookie_of(value: str, headers: Mapping[str, str], scheme: str, name: str = COOKIE) -> str:
    """Spaces show the page within a page of huggingface.co, where browsers send other cookies only if they say so."""
    # A proxy behind another adds its own after a comma.
    proto = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip()
    sites = "SameSite=None; Secure; Partitioned" if proto == "https" else "SameSite=Lax"
    return f"{name}={value}; Path=/; HttpOnly; {sites}"
