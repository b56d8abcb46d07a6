"""What runs of the local hub make: pictures that show how strong a LoRA was, and new versions of a model."""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub_ui.demo.hubs.content import InMemory
from hub_ui.demo.hubs.delivery import Delivery
from hub_ui.demo.hubs.folder import HubFile, Json
from hub_ui.demo.hubs.pictures import draw_picture
from hub_ui.demo.hubs.replicate_files import Files
from hub_ui.demo.hubs.replicate_official import RUNNER, TRAINER, fine_tune_version, loads
from hub_ui.demo.hubs.replicate_runs import bars
from hub_ui.demo.hubs.replicate_schema import read_inputs
from hub_ui.demo.hubs.replicate_store import ReplicateStore
from hub_ui.demo.hubs.tar import model_tar
from hub_ui.demo.hubs.weights import generate_safetensors

_SLOTS = ("lora_weights", "hf_lora", "extra_lora", "replicate_weights")
_UNREAD = (
    "Failed to parse URL. Expected a Replicate model, a HuggingFace or CivitAI URL, or the URL of a .safetensors file"
)
_UNSAFE = "NSFW content detected. Try running it again, or try a different prompt."
_WIDTH = 3072
# Where a schema sets no bounds.
_MOST_PICTURES, _MOST_RANK = 16, 128
_LAYER = "transformer.single_transformer_blocks.0.attn.to_q"


@dataclass(frozen=True, kw_only=True)
class Making:
    store: ReplicateStore
    delivery: Delivery
    files: Files

    def picture(self, run_id: str, model: str, version: Mapping[str, Any] | None, inputs: Json) -> list[str]:
        """As many as asked for, in the file format asked for; a model that has no such input answers PNG."""
        told = self._inputs(version, inputs)
        form, prompt = _read(told, "output_format", "png"), _read(told, "prompt", "")
        lora = _read(told, "lora_weights", "") or _read(told, "hf_lora", "") or model
        strength = _number(told, "lora_scale", _number(told, "lora_strength", 1.0))
        urls = []
        for number in range(min(int(_number(told, "num_outputs", 1)), _MOST_PICTURES)):
            seed = int(_number(told, "seed", 0)) + number if "seed" in told else None
            data = draw_picture(prompt, seed=seed, lora=lora, strength=strength, form=form)
            urls.append(self.delivery.public(f"/xezq/{run_id}/out-{number}.{form}", InMemory(data=data)))
        return urls

    def failure(self, version: Mapping[str, Any] | None, inputs: Json) -> str | None:
        """What goes wrong once the model runs, though its input was of the right form."""
        told = self._inputs(version, inputs)
        if any(told.get(slot) and not loads(told[slot]) for slot in _SLOTS):
            return _UNREAD
        unsafe = re.search(r"\bnsfw\b", _read(told, "prompt", ""), re.IGNORECASE)
        return _UNSAFE if unsafe and not told.get("disable_safety_checker") else None

    def prediction_logs(self, version: Mapping[str, Any] | None, inputs: Json) -> list[str]:
        told = self._inputs(version, inputs)
        return [f"Using seed: {told.get('seed', 0)}", *bars(max(int(_number(told, "num_inference_steps", 20)), 1))]

    def training_failure(self, inputs: Json) -> str | None:
        """Only of pictures that lie here: an address elsewhere is not asked."""
        zipped = self.files.of(inputs.get("input_images"))
        if zipped is None:
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(zipped.data)) as opened:
                return None if opened.namelist() else "No images were found in input_images"
        except zipfile.BadZipFile:
            return "input_images must be a zip file"

    def training_logs(self, trainer: Mapping[str, Any], inputs: Json) -> list[str]:
        steps = int(_number(self._inputs(trainer, inputs, "TrainingInput"), "steps", 1000))
        zipped = self.files.of(inputs.get("input_images"))
        count = zipped.data.count(b"PK\x01\x02") if zipped else 0
        start = [f"Extracted {count} files from zip to input_images", "Starting train job"]
        return [*start, *bars(max(steps, 1), name="flux_train_replicate: ")]

    def train(self, run_id: str, destination: str, trainer: Mapping[str, Any], inputs: Json) -> Json:
        """A new version of the destination, which from now on is its latest, with weights of the rank asked for."""
        told = self._inputs(trainer, inputs, "TrainingInput")
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
        version = fine_tune_version(version_id, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), trainer)
        self.store.add_version(destination, version, HubFile(content=lora))
        tar = model_tar(lora)
        self.delivery.public(tar_path(f"{destination}:{version_id}"), tar)
        weights = self.delivery.public(f"/xezq/{run_id}/trained_model.tar", tar)
        return {"version": f"{destination}:{version_id}", "weights": weights}

    def _inputs(self, version: Mapping[str, Any] | None, inputs: Json, schema: str = "Input") -> Json:
        stand_in = self.store.unlisted[RUNNER if schema == "Input" else TRAINER]["latest_version"]
        return read_inputs(version, inputs, otherwise=stand_in, schema=schema)


def _read(told: Json, name: str, otherwise: str) -> str:
    """A model may have an input of that name and of another type."""
    value = told.get(name)
    return value if isinstance(value, str) else otherwise


def _number(told: Json, name: str, otherwise: float) -> float:
    value = told.get(name)
    return value if isinstance(value, int | float) else otherwise


def tar_path(name: str) -> str:
    """`OWNER/NAME:HASH` -> the tar's address on the delivery origin."""
    return f"/replicate/{name.replace(':', '/')}/trained_model.tar"
