from contextlib import suppress
from typing import get_args

import pytest
from prometheus_client import REGISTRY

from connectors.errors import PreviewError
from connectors.guard import Outcome
from hub_ui.app.metrics import Metrics
from hub_ui.generate.request import GenerationCancelled
from tests.docs.pages import PAGES


def test_each_metric_and_outcome_is_described() -> None:
    page = PAGES["docs/operating.md"].read_text(encoding="utf-8")
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in Metrics().registry.collect()
    }
    own = {name for name in names if name.startswith("hub_ui_")}
    assert [name for name in own if f"| `{name}` |" not in page] == []
    assert [outcome for outcome in get_args(Outcome) if f"`{outcome}`" not in page] == []
    assert len(own) == 10


def test_no_run_counts_for_another() -> None:
    one, other = Metrics(), Metrics()
    one.searches.inc()
    assert one.registry.get_sample_value("hub_ui_searches_total") == 1
    assert other.registry.get_sample_value("hub_ui_searches_total") == 0
    assert REGISTRY.get_sample_value("hub_ui_searches_total") is None


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (GenerationCancelled("stopped"), "stopped"),
        (PreviewError("no"), "refused"),
        (ZeroDivisionError("?"), "failed"),
    ],
)
def test_a_generation_is_counted_by_how_it_ended(error: Exception | None, outcome: str) -> None:
    metrics = Metrics()
    with suppress(PreviewError, ZeroDivisionError), metrics.generation("local"):
        if error is not None:
            raise error
    labels = {"place": "local", "outcome": outcome}
    assert metrics.registry.get_sample_value("hub_ui_generations_total", labels) == 1
    timed = metrics.registry.get_sample_value("hub_ui_generation_seconds_count", {"place": "local"})
    assert timed == (1 if outcome == "done" else None)
