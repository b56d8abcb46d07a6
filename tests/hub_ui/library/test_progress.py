from __future__ import annotations

import pytest

from hub_ui.library.progress import Progress


@pytest.mark.parametrize(("done", "total", "fraction"), [(1, 4, 0.25), (5, 4, 1.0), (1, None, None), (0, 0, None)])
def test_a_fraction_needs_a_total(done: int, total: int | None, fraction: float | None) -> None:
    assert Progress(done=done, total=total, seconds=1.0).fraction == fraction
