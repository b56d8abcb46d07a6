"""hub_ui/arenas.py."""

from __future__ import annotations

import platform

from hub_ui.arenas import limit_arenas


def test_arenas_are_limited_where_glibc_has_them() -> None:
    assert limit_arenas() is (platform.libc_ver()[0] == "glibc")
