"""Generated images without a pipeline: for what is done with them afterwards."""

from pathlib import Path
from typing import Any

from PIL import Image

from connectors.ref import Ref
from hub_ui.generate.compare import comparison
from hub_ui.generate.compare.comparison import Comparison
from hub_ui.generate.request import GenerationRequest, LoraInput
from hub_ui.generate.result import Coverage, GeneratedImage, GenerationReport, GenerationResult, Missed

INK = Ref.parse("civitai:1001@2001#3001")


def adapter(**fields: Any) -> LoraInput:
    values: dict[str, Any] = {
        "ref": INK,
        "path": Path("ink.safetensors"),
        "title": "Ink",
        "weight": 0.8,
        "trigger_words": ("sks style",),
        "architecture": "sd1",
    }
    return LoraInput(**{**values, **fields})


def job(*adapters: LoraInput, **fields: Any) -> GenerationRequest:
    values: dict[str, Any] = {"prompt": "a “cat” 猫", "negative": "blurred", "seed": 7}
    return GenerationRequest(adapters=adapters or (adapter(),), **{**values, **fields})


def report(**fields: Any) -> GenerationReport:
    coverage = Coverage(
        title="Ink", applied=2, total=3, missed=(Missed(reason="of text encoder 2", keys=("lora_te2_a",)),)
    )
    values: dict[str, Any] = {
        "base": "SD 1.5", "base_id": "sd-1.5", "base_revision": "a" * 40, "device": "CPU", "coverage": (coverage,),
        "switch_seconds": 0.0, "seed": 7, "steps": 20, "guidance": 4.0, "width": 32, "height": 16,
        "sampler": "DPM++ 2M Karras", "dtype": "float32", "base_sha256": "c" * 64, "rows": 1, "adapters": "merged",
    }  # fmt: skip
    return GenerationReport(**{**values, **fields})


def made(asked: GenerationRequest | None = None, sheet: Comparison | None = None, **fields: Any) -> GenerationResult:
    """Each image has its own colour."""
    asked = asked or job()
    sheet = sheet or comparison.single(asked)
    pictures = tuple(
        GeneratedImage(image=Image.new("RGB", (32, 16), (10 * i, 100, 200)), seconds=1.0)
        for i in range(len(sheet.cells))
    )
    values: dict[str, Any] = {"request": asked, "comparison": sheet, "images": pictures, "report": report()}
    return GenerationResult(**{**values, **fields})
