"""What those who run a page ask it, over real HTTP."""

import threading
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connectors.query import Query
from hub_ui.app.services import Services
from hub_ui.base.lifecycle import Lifecycle
from hub_ui.web.layout.pages import Pages
from hub_ui.web.site import HealthRoutes
from tests.hub_ui.web.raw import Visitor, served

TOKEN = "let-me-read-123"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    with served(tmp_path_factory.mktemp("watched"), hosted=True, metrics_token=TOKEN) as visitor:
        yield visitor


def values(page: Visitor) -> dict[tuple[str, ...], float]:
    told = replace(page, headers={"Authorization": f"Bearer {TOKEN}"}).get("metrics")
    families = text_string_to_metric_families(told.text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_a_page_is_alive_and_ready(watched: Visitor) -> None:
    assert (watched.get("health").status_code, watched.get("health").json()) == (200, {"status": "alive"})
    ready = watched.get("ready")
    assert "tiny-shapes" in ready.json()["bases"]
    assert (ready.status_code, ready.json()["queue"]) == (200, {"generations": 0, "most": 20})
    # Other tests have filled the cache of this process with bases.
    said = {key: value for key, value in ready.json().items() if key not in ("bases", "queue")}
    assert said == {"ready": True, "stopping": False, "catalog": "answers", "base": "present"}


def test_what_happens_is_counted_without_names(watched: Visitor) -> None:
    before = values(watched)
    [[answer]] = watched.services.lookup.search(Query(hubs=("huggingface",)))
    assert answer.page is not None
    found = answer.page.loras[0].ref
    watched.services.lookup.get(found)
    after = values(watched)
    changed = {key: value - before.get(key, 0) for key, value in after.items() if key[0].endswith("_total")}
    assert {key: value for key, value in changed.items() if value and key[0].startswith("hub_ui")} == {
        ("hub_ui_searches_total",): 1,
        ("hub_ui_opens_total",): 1,
        ("hub_ui_hub_requests_total", "huggingface", "answered"): 2,
    }
    assert after["hub_ui_hub_breaker", "civitai"] == 0
    assert after["hub_ui_queue_length", "generations"] == 0
    assert not [key for key in after if str(found.id) in key]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        ({"Authorization": "Bearer other"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": "Bearer "}, 401),
        # A proxy on the same computer, in its simplest form, says no more of who asks.
        ({}, 401),
    ],
)
def test_metrics_of_a_hosted_page_are_for_who_runs_it(watched: Visitor, headers: dict[str, str], status: int) -> None:
    assert replace(watched, headers=headers).get("metrics").status_code == status


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}])
def test_a_page_without_a_token_has_none_to_guess(hosted: Visitor, headers: dict[str, str]) -> None:
    assert replace(hosted, headers=headers).get("metrics").status_code == 401


def test_on_ones_own_computer_metrics_need_no_token(local: Visitor) -> None:
    assert local.get("metrics").status_code == 200


def state(services: Services, running: int = 0, **changes: object) -> dict[str, Any]:
    changed = copy(services)
    vars(changed).update(changes)
    return HealthRoutes(pages=Pages(services=changed), running=lambda: running).state()


def test_a_page_that_is_full_or_stops_is_not_ready_nor_a_missing_base_there(watched: Visitor, tmp_path: Path) -> None:
    assert not state(watched.services, running=20)["ready"]
    lifecycle = Lifecycle()
    lifecycle.stop(threading.Event())
    stopping = state(watched.services, lifecycle=lifecycle)
    assert (stopping["ready"], stopping["stopping"]) == (False, True)
    limits = replace(watched.services.settings.limits, bases=frozenset({"kolors"}))
    without = state(watched.services, settings=replace(watched.services.settings, limits=limits))
    assert (without["base"], without["bases"], without["ready"]) == ("missing", [], True)
