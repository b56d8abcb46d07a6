"""Simulated predictions and trainings, with a progress bar in their logs, and what they make."""

import hashlib
import io
import re
import secrets
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import Any

from hub_ui.demo.hubs.content import InMemory, generate_safetensors, model_tar
from hub_ui.demo.hubs.delivery import Delivery, draw_picture
from hub_ui.demo.hubs.folder import HubFile, Json
from hub_ui.demo.hubs.replicate_store import ReplicateStore, fine_tune_version, loads

SECONDS = 0.2
_STARTING_FOR = 0.25
_OVER = ("succeeded", "failed", "canceled", "aborted")


@dataclass(frozen=True, kw_only=True)
class Run:
    """`output` is called once, when the run succeeds; a cancelled run has no output."""

    data: Json
    output: Callable[[str], object]
    error: str | None
    logs: Sequence[str]
    made: float


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of one `kind`, `predictions` or `trainings`: `over` has the recorded ones too."""

    kind: str
    origin: str
    over: dict[str, Json]
    now: Callable[[], float] = time.time
    seconds: float = SECONDS
    working: dict[str, Run] = field(default_factory=dict)
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
        """The run fails with `error`. A `finished` run ends at once, as for a client that waits."""
        run_id = "".join(secrets.choice("abcdefghjkmnpqrstvwxyz0123456789") for _ in range(26))
        url = f"{self.origin}/v1/{self.kind}/{run_id}"
        urls = {"get": url, "cancel": f"{url}/cancel"}
        if self.kind == "predictions":
            urls["web"] = f"https://replicate.com/p/{run_id}"
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
            "created_at": timestamp(self.now()),
            "urls": urls,
        }
        made = self.now() - (self.seconds if finished else 0)
        with self._lock:
            self.working[run_id] = Run(data=data, output=output, error=error, logs=logs, made=made)
        # Nobody waits for the others: their clients are told of the beginning, however long that took.
        return (self.get(run_id) or data) if finished else data

    def get(self, run_id: str) -> Json | None:
        with self._lock:
            run = self.working.get(run_id)
            if run is None:
                return self.over.get(run_id)
            worked = (self.now() - run.made) / self.seconds
            if worked < _STARTING_FOR:
                return run.data
            if worked >= 1:
                return self._end(run)
            logs = _join(run.logs[: int(len(run.logs) * worked)])
            started = timestamp(run.made + self.seconds * _STARTING_FOR)
            return {**run.data, "status": "processing", "started_at": started, "logs": logs}

    def settle(self) -> None:
        """Ends all runs that are due, so that their output exists before clients request the run."""
        for run_id in list(self.working):
            self.get(run_id)

    def cancel(self, run_id: str) -> Json | None:
        """A run that has ended is unchanged."""
        with self._lock:
            data = self.get(run_id)
            if data is None or data["status"] in _OVER:
                return data
            self.working.pop(run_id, None)
            self.over[run_id] = {**data, "status": "canceled", "completed_at": timestamp(self.now())}
            return self.over[run_id]

    def all(self) -> list[Json]:
        """Newest first."""
        found = [self.get(run_id) for run_id in {**self.over, **self.working}]
        return sorted((data for data in found if data), key=lambda data: str(data["created_at"]), reverse=True)

    def _end(self, run: Run) -> Json:
        times = {"started_at": timestamp(run.made), "completed_at": timestamp(run.made + self.seconds)}
        metrics = {"predict_time": self.seconds, "total_time": self.seconds}
        end = {**run.data, "logs": _join(run.logs), **times, "metrics": metrics}
        if run.error is not None:
            end |= {"status": "failed", "error": run.error}
        else:
            end |= {"status": "succeeded", "output": run.output(run.data["id"])}
        self.over[end["id"]] = end
        del self.working[end["id"]]
        return end


def bars(steps: int, *, name: str = "", shown: int = 50) -> list[str]:
    """At most `shown` lines of a tqdm progress bar."""
    steps = max(steps, 1)
    at = sorted({round(steps * i / min(steps, shown)) for i in range(min(steps, shown) + 1)})
    return [
        f"{name}{done * 100 // steps:3d}%|{'█' * (done * 10 // steps):<10}| {done}/{steps} [00:01<00:01]" for done in at
    ]


def _join(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_SLOTS = ("lora_weights", "hf_lora", "extra_lora", "replicate_weights")
_UNREAD = (
    "Failed to parse URL. Expected a Replicate model, a HuggingFace or CivitAI URL, or the URL of a .safetensors file"
)
_UNSAFE = "NSFW content detected. Try running it again, or try a different prompt."
_WIDTH = 3072
# Used if a schema has no bounds.
_MOST_PICTURES, _MOST_RANK = 16, 128
_LAYER = "transformer.single_transformer_blocks.0.attn.to_q"


@dataclass(frozen=True, kw_only=True)
class Making:
    """What runs make of their inputs: one of another type counts as absent. `uploads` are files by their URL."""

    store: ReplicateStore
    delivery: Delivery
    uploads: dict[str, bytes] = field(default_factory=dict)

    def picture(self, run_id: str, model: str, told: Json) -> list[str]:
        """The URLs of the images. Models without an `output_format` return PNG."""
        form, prompt = _text(told, "output_format") or "png", _text(told, "prompt")
        lora = _text(told, "lora_weights") or _text(told, "hf_lora") or model
        strength = _number(told, "lora_scale", _number(told, "lora_strength", 1.0))
        urls = []
        for number in range(min(int(_number(told, "num_outputs", 1)), _MOST_PICTURES)):
            seed = int(_number(told, "seed", 0)) + number if "seed" in told else None
            data = draw_picture(prompt, seed=seed, lora=lora, strength=strength, form=form)
            urls.append(self.delivery.public(f"/xezq/{run_id}/out-{number}.{form}", InMemory(data=data)))
        return urls

    def failure(self, told: Json) -> str | None:
        """The error of a run whose input passed the schema."""
        if any(told.get(slot) and not loads(told[slot]) for slot in _SLOTS):
            return _UNREAD
        unsafe = re.search(r"\bnsfw\b", _text(told, "prompt"), re.IGNORECASE)
        return _UNSAFE if unsafe and not told.get("disable_safety_checker") else None

    def prediction_logs(self, told: Json) -> list[str]:
        return [f"Using seed: {told.get('seed', 0)}", *bars(int(_number(told, "num_inference_steps", 20)))]

    def training_failure(self, told: Json) -> str | None:
        """Checks only uploaded files; other URLs are not requested."""
        zipped = self.uploads.get(_text(told, "input_images"))
        if zipped is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(zipped)) as opened:
                return None if opened.namelist() else "No images were found in input_images"
        except zipfile.BadZipFile:
            return "input_images must be a zip file"

    def training_logs(self, told: Json) -> list[str]:
        count = (self.uploads.get(_text(told, "input_images"), b"")).count(b"PK\x01\x02")
        start = [f"Extracted {count} files from zip to input_images", "Starting train job"]
        return [*start, *bars(int(_number(told, "steps", 1000)), name="flux_train_replicate: ")]

    def train(self, run_id: str, destination: str, trainer: Mapping[str, Any], told: Json) -> Json:
        """Adds the destination's latest version, with weights of rank `lora_rank`."""
        rank = min(max(int(_number(told, "lora_rank", 16)), 1), _MOST_RANK)
        lora = generate_safetensors(
            {
                "tensors": {
                    f"{_LAYER}.lora_A.weight": ["F16", [rank, _WIDTH]],
                    f"{_LAYER}.lora_B.weight": ["F16", [_WIDTH, rank]],
                },
                "seed": int(hashlib.sha256(run_id.encode()).hexdigest()[:8], 16),
            }
        )
        version_id = hashlib.sha256(f"{run_id}{lora.sha256}".encode()).hexdigest()
        version = fine_tune_version(version_id, timestamp(time.time()), trainer)
        self.store.add_version(destination, version, HubFile(content=lora))
        weights = self.delivery.public(f"/xezq/{run_id}/trained_model.tar", model_tar(lora))
        return {"version": f"{destination}:{version_id}", "weights": weights}


def _text(told: Json, name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) else ""


def _number(told: Json, name: str, otherwise: float) -> float:
    value = told.get(name)
    return value if isinstance(value, int | float) else otherwise
