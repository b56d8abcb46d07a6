"""Who asks: the network address of a request, and the cookie that a visitor is known by."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.requests import cookie_parser


def read_address(headers: Mapping[str, str], peer: str, *, trusts_proxy: bool) -> str:
    """Empty where nothing tells people apart.

    Each proxy adds at the end of X-Forwarded-For who asked it, and what stands before is whatever the sender wrote. So
    it is the last public address. Without a trusted proxy it is the peer's, unless that is private: then it is likely
    a proxy's, or a container's gateway, which everybody comes through.
    """
    if not trusts_proxy:
        found = _parse(peer)
        return _text(found) if found is not None and found.is_global else ""
    named = [address for text in headers.get("x-forwarded-for", "").split(",") if (address := _parse(text)) is not None]
    public = [address for address in named if address.is_global]
    return _text((public or named)[-1]) if named else ""


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Some proxies add a port."""
    text = text.strip()
    host = text.partition("]")[0].removeprefix("[") if text.startswith("[") else text
    host = host.partition(":")[0] if host.count(":") == 1 else host
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _text(address: IPv4Address | IPv6Address) -> str:
    """Of IPv6, a person has a whole /64."""
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


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
