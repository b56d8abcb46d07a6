"""hub_ui/hosting/address.py."""

from __future__ import annotations

import pytest

from hub_ui.hosting.address import read_address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("8.8.8.8", "8.8.8.8"),
        ("8.8.8.8:443", "8.8.8.8"),
        ("1.1.1.1, 8.8.8.8", "8.8.8.8"),
        ("1.1.1.1, 8.8.8.8, 10.16.3.80", "8.8.8.8"),
        ("2a00:1450:4001:82f::200e", "2a00:1450:4001:82f::/64"),
        ("[2a00:1450:4001:82f::1]:5000", "2a00:1450:4001:82f::/64"),
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("10.1.2.3", "10.1.2.3"),
        ("", ""),
        ("unknown, <script>", ""),
    ],
)
def test_a_trusted_proxy_tells_the_last_public_address(forwarded: str, address: str) -> None:
    assert read_address({"x-forwarded-for": forwarded}, "10.16.0.1", trusts_proxy=True) == address


@pytest.mark.parametrize(
    ("peer", "address"), [("8.8.8.8", "8.8.8.8"), ("127.0.0.1", ""), ("172.17.0.1", ""), ("testclient", "")]
)
def test_without_one_only_a_public_peer_has_an_address_whatever_the_header_says(peer: str, address: str) -> None:
    assert read_address({"x-forwarded-for": "1.1.1.1"}, peer, trusts_proxy=False) == address
