import pytest

from connectors.errors import UsageError
from hub_ui.library.download.progress import Meter, Progress


@pytest.mark.parametrize(("done", "total", "fraction"), [(1, 4, 0.25), (5, 4, 1.0), (1, None, None), (0, 0, None)])
def test_a_fraction_needs_a_total(done: int, total: int | None, fraction: float | None) -> None:
    assert Progress(done=done, total=total, seconds=1.0).fraction == fraction


def test_more_bytes_than_are_let_through_end_a_pull() -> None:
    meter = Meter(most=2_000_000)
    meter.add(2_000_000)
    with pytest.raises(UsageError, match="more than 2 MB"):
        meter.add(1)
