"""The metrics of a run, for Prometheus. Labels name hubs, places and kinds, and never refs, prompts or people."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from connectors.errors import HubUiError
from connectors.guard import CircuitBreaker, Outcome
from connectors.ref import HubName
from hub_ui.generate.request import GenerationCancelled
from hub_ui.library.download.partial_file import PullCancelled

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Bounds of the histogram, from one image of a small base model to a comparison on a large one.
_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_STATES = {"closed": 0, "half-open": 1, "open": 2}


class Metrics:
    """The counters and gauges of a run. Thread-safe. The function of a gauge is called at each read."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.searches = Counter("hub_ui_searches", "Searches that hubs were asked for.", registry=registry)
        self.opens = Counter("hub_ui_opens", "LoRAs that were opened.", registry=registry)
        self._generations = Counter(
            "hub_ui_generations", "Generations that ended.", ("place", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "hub_ui_generation_seconds", "How long generations took.", ("place",), registry=registry, buckets=_SECONDS
        )
        self.waiting = Gauge("hub_ui_queue_length", "What waits or runs.", ("queue",), registry=registry)
        self.downloads = Counter("hub_ui_download_bytes", "Bytes of LoRA files.", ("hub",), registry=registry)
        self.caches = Gauge("hub_ui_cache_bytes", "Bytes on the disk.", ("cache",), registry=registry)
        self._requests = Counter(
            "hub_ui_hub_requests", "What hubs were asked, by how it ended.", ("hub", "outcome"), registry=registry
        )
        self._breakers = Gauge(
            "hub_ui_hub_breaker", "0 asked, 1 about to be tried, 2 left alone.", ("hub",), registry=registry
        )
        self._refused = Counter("hub_ui_refused", "What was refused, by limit.", ("quota",), registry=registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)

    def count_hub_request(self, hub: HubName, outcome: Outcome) -> None:
        self._requests.labels(hub, outcome).inc()

    def count_refusal(self, quota: str) -> None:
        """Count a refusal. `quota` must be a name from the code and not from a request, so that labels stay few."""
        self._refused.labels(quota).inc()

    @contextmanager
    def generation(self, place: str) -> Iterator[None]:
        """Count the generation in the block by its outcome, and time it if it succeeds."""
        start, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "done"
            self._seconds.labels(place).observe(time.monotonic() - start)
        except (GenerationCancelled, PullCancelled):
            outcome = "stopped"
            raise
        except HubUiError:
            outcome = "refused"
            raise
        finally:
            self._generations.labels(place, outcome).inc()

    def watch_breaker(self, hub: HubName, breaker: CircuitBreaker) -> None:
        self._breakers.labels(hub).set_function(lambda: _STATES[breaker.state])
