"""What those who run a page ask: whether it is alive, whether it can take visitors, and its metrics."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.errors import HubUiError
from hub_ui.generate.base_models.download import bases_here
from hub_ui.metrics import CONTENT_TYPE
from hub_ui.services import Services

HEALTH_ROUTE, READY_ROUTE, METRICS_ROUTE = "/health", "/ready", "/metrics"
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, kw_only=True)
class HealthRoutes:
    """`running` counts the generations that are not done."""

    services: Services
    running: Callable[[], int]

    def routes(self) -> list[BaseRoute]:
        return [
            Route(HEALTH_ROUTE, self.answer_health, methods=["GET"]),
            Route(READY_ROUTE, self.answer_ready, methods=["GET"]),
            Route(METRICS_ROUTE, self.answer_metrics, methods=["GET"]),
        ]

    async def answer_health(self, request: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=_NO_STORE)

    async def answer_ready(self, request: Request) -> Response:
        state = await run_in_threadpool(self.state)
        return JSONResponse(state, 200 if state["ready"] else 503, _NO_STORE)

    def state(self) -> dict[str, Any]:
        """Without a base model there is still all the rest, so a missing one is said and no more."""
        running, most = self.running(), self.services.settings.limits.queue
        catalog = "answers"
        try:
            self.services.catalog.change()
        except HubUiError:
            catalog = "does not answer"
        is_stopping = self.services.lifecycle.is_stopping
        settings = self.services.settings
        here = bases_here(settings.limits.bases, demo=settings.demo)
        return {
            "ready": catalog == "answers" and running < most and not is_stopping,
            "stopping": is_stopping,
            "catalog": catalog,
            "base": "present" if here else "missing",
            "bases": here,
            "queue": {"generations": running, "most": most},
        }

    async def answer_metrics(self, request: Request) -> Response:
        if self.services.settings.hosted and not self.may_read_metrics(request):
            text = "The metrics are for who runs this page: set HUB_UI_METRICS_TOKEN, and send it as a Bearer token."
            return JSONResponse({"detail": text}, 401, {**_NO_STORE, "WWW-Authenticate": "Bearer"})
        # Some are counted on the disk.
        counted = await run_in_threadpool(self.services.metrics.text)
        return Response(counted, headers={**_NO_STORE, "Content-Type": CONTENT_TYPE})

    def may_read_metrics(self, request: Request) -> bool:
        """By the token alone: what asks from this computer may be a proxy, for anybody."""
        token = self.services.settings.metrics_token
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_given = hmac.compare_digest(given.strip().encode(), token.encode())
        return bool(token) and scheme.lower() == "bearer" and is_given
