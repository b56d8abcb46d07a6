"""Predictions and trainings of the local hub: they succeed soon after they were made."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock

from hub_ui.demo.hubs.folder import Json

_RUNS_FOR = 0.2
_OVER = ("succeeded", "failed", "canceled")


@dataclass(frozen=True, kw_only=True)
class Run:
    data: Json
    output: object
    made: float


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Runs of one kind, `predictions` or `trainings`: the recorded ones, and those made since."""

    kind: str
    origin: str
    recorded: dict[str, Json]
    now: Callable[[], float] = time.time
    made: dict[str, Run] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def create(
        self, *, model: str, version: str, inputs: Json, output: Callable[[str], object], finished: bool
    ) -> Json:
        run_id = "".join(secrets.choice("abcdefghjkmnpqrstvwxyz0123456789") for _ in range(26))
        url = f"{self.origin}/v1/{self.kind}/{run_id}"
        data = {
            "id": run_id,
            "model": model,
            "version": version,
            "input": inputs,
            "logs": "",
            "output": None,
            "data_removed": False,
            "error": None,
            "status": "starting",
            "created_at": _timestamp(self.now()),
            "urls": {"get": url, "cancel": f"{url}/cancel"},
        }
        made = self.now() - (_RUNS_FOR if finished else 0)
        with self._lock:
            self.made[run_id] = Run(data=data, output=output(run_id), made=made)
        return self.get(run_id) or data

    def get(self, run_id: str) -> Json | None:
        run = self.made.get(run_id)
        if run is None:
            return self.recorded.get(run_id)
        if run.data["status"] in _OVER or self.now() - run.made < _RUNS_FOR:
            return run.data
        return {**run.data, "status": "succeeded", "output": run.output, **self._times(run)}

    def cancel(self, run_id: str) -> Json | None:
        """A run that is over stays as it is."""
        data = self.get(run_id)
        if data is None or data["status"] in _OVER:
            return data
        canceled = {**data, "status": "canceled", "completed_at": _timestamp(self.now())}
        with self._lock:
            if run_id in self.made:
                self.made[run_id] = Run(data=canceled, output=None, made=self.made[run_id].made)
            else:
                self.recorded[run_id] = canceled
        return canceled

    def all(self) -> list[Json]:
        """The newest first."""
        found = [self.get(run_id) for run_id in {**self.recorded, **self.made}]
        return sorted((data for data in found if data), key=lambda data: str(data["created_at"]), reverse=True)

    def _times(self, run: Run) -> Json:
        times = {"started_at": _timestamp(run.made), "completed_at": _timestamp(run.made + _RUNS_FOR)}
        return {**times, "metrics": {"predict_time": _RUNS_FOR, "total_time": _RUNS_FOR}}


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
