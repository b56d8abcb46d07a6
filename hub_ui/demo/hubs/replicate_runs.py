"""Predictions and trainings of the local hub: each starts, works for a moment with a bar in its logs, and is over."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock

from hub_ui.demo.hubs.folder import Json

SECONDS = 0.2
_STARTING_FOR = 0.25
_OVER = ("succeeded", "failed", "canceled", "aborted")


@dataclass(frozen=True, kw_only=True)
class Run:
    """`output` is asked for once, when the run ends well: a run that was cancelled has made nothing."""

    data: Json
    output: Callable[[str], object]
    error: str | None
    logs: Sequence[str]
    made: float


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Runs of one kind, `predictions` or `trainings`: the recorded ones, and those made since."""

    kind: str
    origin: str
    recorded: dict[str, Json]
    now: Callable[[], float] = time.time
    seconds: float = SECONDS
    made: dict[str, Run] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    def create(
        self,
        *,
        model: str,
        version: str,
        inputs: Json,
        output: Callable[[str], object],
        finished: bool,
        error: str | None = None,
        logs: Sequence[str] = (),
    ) -> Json:
        """With an `error` it fails. `finished`: it is over at once, as for a client that waits."""
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
            "urls": self._urls(run_id, url),
        }
        made = self.now() - (self.seconds if finished else 0)
        with self._lock:
            self.made[run_id] = Run(data=data, output=output, error=error, logs=logs, made=made)
        return self.get(run_id) or data

    def _urls(self, run_id: str, url: str) -> Json:
        urls = {"get": url, "cancel": f"{url}/cancel"}
        if self.kind == "predictions":
            urls |= {"stream": f"{self.origin}/v1/streams/{run_id}", "web": f"https://replicate.com/p/{run_id}"}
        return urls

    def get(self, run_id: str) -> Json | None:
        with self._lock:
            run = self.made.get(run_id)
            if run is None:
                return self.recorded.get(run_id)
            worked = (self.now() - run.made) / self.seconds
            if run.data["status"] in _OVER or worked < _STARTING_FOR:
                return run.data
            return self._working(run, worked) if worked < 1 else self._end(run)

    def settle(self) -> None:
        """Ends those whose time has come, so that what they make is there before anyone asks about the run itself."""
        for run_id in list(self.made):
            self.get(run_id)

    def cancel(self, run_id: str) -> Json | None:
        """A run that is over stays as it is."""
        with self._lock:
            data = self.get(run_id)
            if data is None or data["status"] in _OVER:
                return data
            canceled = {**data, "status": "canceled", "completed_at": _timestamp(self.now())}
            if run_id in self.made:
                self._keep(self.made[run_id], canceled)
            else:
                self.recorded[run_id] = canceled
            return canceled

    def all(self) -> list[Json]:
        """The newest first."""
        found = [self.get(run_id) for run_id in {**self.recorded, **self.made}]
        return sorted((data for data in found if data), key=lambda data: str(data["created_at"]), reverse=True)

    def _working(self, run: Run, worked: float) -> Json:
        shown = run.logs[: int(len(run.logs) * worked)]
        started = _timestamp(run.made + self.seconds * _STARTING_FOR)
        return {**run.data, "status": "processing", "started_at": started, "logs": _join(shown)}

    def _end(self, run: Run) -> Json:
        end = {**run.data, "logs": _join(run.logs), **self._times(run)}
        if run.error is not None:
            end |= {"status": "failed", "error": run.error}
        else:
            end |= {"status": "succeeded", "output": run.output(run.data["id"])}
        self._keep(run, end)
        return end

    def _keep(self, run: Run, data: Json) -> None:
        self.made[data["id"]] = Run(data=data, output=run.output, error=run.error, logs=run.logs, made=run.made)

    def _times(self, run: Run) -> Json:
        times = {"started_at": _timestamp(run.made), "completed_at": _timestamp(run.made + self.seconds)}
        return {**times, "metrics": {"predict_time": self.seconds, "total_time": self.seconds}}


def bars(steps: int, *, name: str = "", shown: int = 50) -> list[str]:
    """Lines of a bar as tqdm draws it, at most `shown` of them."""
    at = sorted({round(steps * i / min(steps, shown)) for i in range(min(steps, shown) + 1)})
    return [
        f"{name}{done * 100 // steps:3d}%|{'█' * (done * 10 // steps):<10}| {done}/{steps} [00:01<00:01]" for done in at
    ]


def _join(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
