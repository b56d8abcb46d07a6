"""Start, follow and cancel runs on Replicate, which are predictions or trainings, and fetch their files.

An accepted run costs money, so the request that starts it is retried only after a 429. Other requests are retried.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import unquote_to_bytes

from connectors.errors import BadAnswer, HubUiError, KeyRequired, NetworkError, NotFound, RateLimited, UsageError
from connectors.http.adapter import Destinations, file_http
from connectors.http.json_fields import Table, address, count, number, table, tables, text
from connectors.http.ranges import RangedSource
from connectors.http.retry import RetryPolicy
from connectors.http.session import Endpoint, Session
from connectors.record import Lora
from connectors.ref import is_id, is_pinned_version
from connectors.registry import HUBS
from connectors.replicate import parse

Kind = Literal["predictions", "trainings"]
Status = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
_STATUSES: tuple[Status, ...] = ("starting", "processing", "succeeded", "failed", "canceled", "aborted")
UNDER_WAY = ("starting", "processing")
_ID = re.compile(r"[a-z0-9]{1,64}", re.IGNORECASE)
# A progress bar of tqdm: " 42%|####      | 21/50 [00:04<...".
_BAR = re.compile(r"(?P<percent>\d{1,3})%\|[^|\n\r]{0,80}\|\s*(?P<done>\d{1,9})/(?P<total>\d{1,9})")
_PERCENT = re.compile(r"(?<![\d.])(?P<percent>\d{1,3})%")
_LOGS_READ = 20_000
# The wait between the first two requests for a run's state, and the factor by which it grows.
_FIRST_SECONDS, _GROWTH = 0.5, 1.25
MOST_UPLOADED = 100 * 1024 * 1024
_MOST_FETCHED = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The last known state of a run. `progress` is 0 to 1 or None. `output` holds http(s) or data: URLs in order."""

    kind: Kind
    id: str
    status: Status
    model: str | None = None
    version: str | None = None
    progress: float | None = None
    output: tuple[str, ...] = ()
    error: str | None = None
    seconds: float | None = None
    data: Table = field(default_factory=dict, repr=False)

    @property
    def over(self) -> bool:
        return self.status not in UNDER_WAY


OnProgress = Callable[[Run], None]
IsCancelled = Callable[[], bool]


class Runs:
    def __init__(self, endpoint: Endpoint, *, most_seconds: float = 3.0, retry: RetryPolicy | None = None) -> None:
        """Open the sessions. `most_seconds` is the longest wait between two requests for a run's state."""
        self.endpoint = endpoint
        self._most_seconds = most_seconds
        self._retry = retry or RetryPolicy(tries=6, first=1.0, longest=600.0)
        self._session = Session(endpoint)
        self._no_retry = Session(endpoint, retries=0)

    def close(self) -> None:
        self._session.close()
        self._no_retry.close()

    def json(self, path: str, *, method: str = "GET", **extra: Any) -> Table:
        """Send a request with the key and return its JSON. Only a GET is retried."""
        self.need_key("This")
        session = self._session if method == "GET" else self._no_retry
        return table(session.json(path, method=method, **extra))

    def model(self, model: str) -> Table:
        self.need_key("Running a model")
        return table(self._session.json(f"/v1/models/{_check_model(model)}"))

    def version(self, model: str, version: str) -> Table:
        return table(self._session.json(f"/v1/models/{_check_model(model)}/versions/{_check_version(version)}"))

    def predict(
        self, model: str, version: str | None, inputs: Mapping[str, object], *, is_cancelled: IsCancelled | None = None
    ) -> Run:
        """Run a version by its hash. Without `version`, run the model by its name, which only official models allow."""
        self.need_key("Running a model")
        path = f"/v1/models/{_check_model(model)}/predictions" if version is None else "/v1/predictions"
        pinned = {} if version is None else {"version": _check_version(version)}
        return self.start("predictions", path, {**pinned, "input": dict(inputs)}, is_cancelled=is_cancelled)

    def start(
        self, kind: Kind, path: str, body: Mapping[str, object], *, is_cancelled: IsCancelled | None = None
    ) -> Run:
        """Start a run. Retry after a 429, because it proves that the run was not started."""
        failures = 0
        while True:
            try:
                return read(kind, self._no_retry.json(path, method="POST", json=dict(body)))
            except RateLimited as error:
                failures += 1
                seconds = self._retry.wait(failures, error)
                if seconds is None or not self._wait(seconds, is_cancelled):
                    raise

    def get(self, kind: Kind, run_id: str) -> Run:
        self.need_key("Following a run")
        if not _ID.fullmatch(run_id):
            raise UsageError(
                "A run of Replicate is named by letters and digits, such as yhyxz6wh8nrme0cm.", hub="replicate"
            )
        return read(kind, self._session.json(f"/v1/{kind}/{run_id}"))

    def cancel(self, run: Run) -> Run:
        """Cancel a run, unless it is over."""
        return read(run.kind, self._session.json(f"/v1/{run.kind}/{run.id}/cancel", method="POST"))

    def follow(
        self,
        run: Run,
        *,
        on_progress: OnProgress | None = None,
        is_cancelled: IsCancelled | None = None,
        stale: bool = False,
    ) -> Run:
        """Wait until a run is over, and report each state. Cancel the run if `is_cancelled` returns True.

        `stale`: request a new state at once, without reporting the state of `run`.
        """
        pause, failures = 0.0 if stale else min(_FIRST_SECONDS, self._most_seconds), 0
        while not run.over:
            if on_progress is not None and pause:
                on_progress(run)
            if not self._wait(pause, is_cancelled):
                # The run may be over before the hub cancels it; its result is not wanted either way.
                return replace(self.cancel(run), status="canceled")
            try:
                run, failures = self.get(run.kind, run.id), 0
                pause = min(max(pause, _FIRST_SECONDS) * _GROWTH, self._most_seconds)
            except (NetworkError, RateLimited) as error:
                failures += 1
                seconds = self._retry.wait(failures, error)
                if seconds is None:
                    raise
                pause = seconds
        return run

    def fetch(self, url: str) -> bytes:
        """Return the bytes of an output. Only the API's origin gets the key, and only Replicate's hosts are allowed."""
        if url.startswith("data:"):
            # The size limit of the API's response already applies to inline data.
            head, _, body = url.partition(",")
            try:
                return base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
            except ValueError as error:
                raise BadAnswer("Replicate sent a file that can't be read. Try again.", hub="replicate") from error
        source = RangedSource(url, headers=self._session.auth(url), hub="replicate")
        with file_http(only=Destinations.of({"replicate": self.endpoint.url})) as http:
            return source.fetch(http, most=_MOST_FETCHED)

    def upload(self, name: str, data: bytes, content_type: str) -> str:
        """Upload a file and return its URL, which can be an input. Only this key can read the file, and for one day."""
        self.need_key("Uploading a file")
        if len(data) >= MOST_UPLOADED:
            raise UsageError("Replicate takes files below 100 MB. Make it smaller.", hub="replicate")
        uploaded = self._session.json("/v1/files", method="POST", files={"content": (name, data, content_type)})
        url = address(table(table(uploaded).get("urls")).get("get"))
        if url is None:
            raise BadAnswer("Replicate took the file, but doesn't say where it is. Try again.", hub="replicate")
        return url

    def need_key(self, what: str) -> None:
        if not self.endpoint.token:
            raise KeyRequired(
                f"{what} on Replicate needs a key, and costs money there. {HUBS['replicate'].add_key}.", hub="replicate"
            )

    def _wait(self, seconds: float, is_cancelled: IsCancelled | None) -> bool:
        """Wait in short steps, so that a cancel takes effect at once. Return False if it was cancelled."""
        while seconds > 0 and not (is_cancelled and is_cancelled()):
            self._retry.pause(min(seconds, 0.1))
            seconds -= 0.1
        return not (is_cancelled and is_cancelled())


def read(kind: Kind, answer: object) -> Run:
    data = table(answer)
    run_id, status = text(data.get("id"), 64), text(data.get("status"))
    if run_id is None or not _ID.fullmatch(run_id) or status not in _STATUSES:
        raise BadAnswer(
            "Replicate answered about a run without its id or state. Try again in a minute.", hub="replicate"
        )
    logs = data["logs"][-_LOGS_READ:] if isinstance(data.get("logs"), str) else ""
    steps = table(data.get("input")).get("steps" if kind == "trainings" else "num_inference_steps")
    output = data["output"] if isinstance(data.get("output"), list) else [data.get("output")]
    schemes = ("https://", "http://", "data:")
    return Run(
        kind=kind,
        id=run_id,
        status=status,
        model=text(data.get("model"), 300),
        version=text(data.get("version"), 100),
        progress=1.0 if status == "succeeded" else fraction(logs, number(steps)),
        output=tuple(item for item in output if isinstance(item, str) and item.startswith(schemes)),
        error=text(data.get("error"), 1_000),
        seconds=number(table(data.get("metrics")).get("predict_time")),
        data=data,
    )


def fraction(logs: str, steps: float | None) -> float | None:
    """Return the progress, 0 to 1, from the last bar with `steps` steps in the logs, or from a percentage.

    If `steps` is None, the bars of downloads and captions count as well.
    """
    bars = [(int(bar["done"]), int(bar["total"])) for bar in _BAR.finditer(logs)]
    if steps is not None:
        bars = [bar for bar in bars if bar[1] == steps]
    if bars:
        done, total = bars[-1]
        return min(done / total, 1.0) if total else None
    percents = [int(match["percent"]) for match in _PERCENT.finditer(logs)] if not _BAR.search(logs) else []
    return min(percents[-1], 100) / 100 if percents else None


def _check_model(model: str) -> str:
    if not is_id("replicate", model):
        raise UsageError(f"“{model[:100]}” is no model of Replicate. Write OWNER/NAME.", hub="replicate")
    return model


def _check_version(version: str) -> str:
    if not is_pinned_version("replicate", version):
        raise UsageError("A version of Replicate is 64 letters and digits.", hub="replicate")
    return version


TRAINER = "ostris/flux-dev-lora-trainer"
TRAINER_VERSION = "e440909d3512c31646ee2e0c7d6f6f4923224863a6a10c494606e79fb5844497"
# Replicate requires this field to create a model, but chooses the hardware for fine-tunes of FLUX itself.
_HARDWARE = "gpu-t4"
_RANKS, _STEPS = range(1, 129), range(3, 6001)
_LONGEST_WORD = 100
_WORD = re.compile(r"[^\x00-\x1f\x7f,<>\"]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """The settings of a new training. `captions`: whether Replicate writes captions for images without one."""

    destination: str
    trigger_word: str
    rank: int = 16
    steps: int = 1000
    captions: bool = True

    def check(self) -> None:
        """Raise UsageError for an invalid setting, before anything is uploaded or paid for."""
        if not is_id("replicate", self.destination):
            raise UsageError(f"“{self.destination[:100]}” is no place for a model. Write OWNER/NAME, OWNER being you.")
        if self.rank not in _RANKS:
            raise UsageError("A rank is a whole number from 1 to 128; 16 is usual.")
        if self.steps not in _STEPS:
            raise UsageError("Train for 3 to 6000 steps; 1000 is usual.")
        if not _WORD.fullmatch(self.trigger_word) or len(self.trigger_word) > _LONGEST_WORD:
            raise UsageError("A trigger word is a short word that is no real one, without commas: TOK, or CYBRPNK.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """The settings of a training that exists. An unknown setting is None."""

    trigger_word: str | None
    rank: int | None
    steps: int | None


def start_training(runs: Runs, order: Order, zipped: bytes) -> Run:
    """Create the model if it is missing, upload the images and start the training."""
    runs.need_key("Training a LoRA")
    order.check()
    try:
        runs.model(order.destination)
    except NotFound:
        # The new model is private, because the images may show people.
        owner, _, name = order.destination.partition("/")
        model = {"owner": owner, "name": name, "visibility": "private", "hardware": _HARDWARE}
        runs.json("/v1/models", method="POST", json=model)
    inputs = {
        "input_images": runs.upload("pictures.zip", zipped, "application/zip"),
        "trigger_word": order.trigger_word,
        "lora_rank": order.rank,
        "steps": order.steps,
        "autocaption": order.captions,
    }
    path = f"/v1/models/{TRAINER}/versions/{TRAINER_VERSION}/trainings"
    return runs.start("trainings", path, {"destination": order.destination, "input": inputs})


def list_running(runs: Runs) -> tuple[Run, ...]:
    """Return the trainings of this key that are not over, newest first."""
    trainings = tables(runs.json("/v1/trainings").get("results"))
    ids = (text(training.get("id"), 64) for training in trainings if text(training.get("status")) in UNDER_WAY)
    current = (runs.get("trainings", run_id) for run_id in ids if run_id)
    return tuple(run for run in current if not run.over)


def lora_of(run: Run) -> Lora:
    """Return the LoRA of a training, with the settings as claims. Raise HubUiError with the reason if it failed."""
    lora = parse.lora_of_training(run.data)
    if lora is not None and lora.versions and run.status == "succeeded":
        return lora
    if run.status in ("canceled", "aborted"):
        raise HubUiError(f"Training {run.id} was cancelled. Start it again to have its LoRA.", hub="replicate")
    reason = " ".join((run.error or "it doesn't say why").split())[:400].rstrip(".")
    raise HubUiError(f"Training {run.id} failed: {reason}. https://replicate.com/p/{run.id}", hub="replicate")


def terms_of(run: Run) -> Terms:
    """Return the settings that a training was started with."""
    inputs = table(run.data.get("input"))
    return Terms(
        trigger_word=text(inputs.get("trigger_word"), _LONGEST_WORD),
        rank=count(inputs.get("lora_rank")),
        steps=count(inputs.get("steps")),
    )
