"""What a request is called by: the content of its LoRAs, which is what replicas hold."""

from pathlib import Path

from connectors.ref import Ref
from hub_ui.cluster.replica import SharedFile, WorkOrder
from hub_ui.generate import comparison
from hub_ui.generate.request import GenerationRequest, LoraInput

INK, PAPER = "a" * 64, "b" * 64


def order(*hashes: str, base: str | None = None) -> WorkOrder:
    files = tuple(SharedFile(path=Path(sha256), sha256=sha256, node="page") for sha256 in hashes)
    loras = tuple(
        LoraInput(ref=Ref.parse("civitai:1@2#3"), path=Path(sha256), title="Ink", architecture="sd1")
        for sha256 in hashes
    )
    request = GenerationRequest(adapters=loras, prompt="a cat", base=base)
    sketch = SharedFile(path=Path("sketch.png"), sha256="c" * 64, node="page")
    return WorkOrder(request=request, comparison=comparison.single(request), files=(*files, sketch))


def test_a_lora_is_called_by_its_bytes() -> None:
    assert order(INK).model_id == INK


def test_several_loras_are_one_set_in_any_order() -> None:
    assert order(INK, PAPER).model_id == order(PAPER, INK).model_id
    assert order(INK, PAPER).model_id not in (INK, PAPER)


def test_without_a_lora_the_base_is_what_is_held() -> None:
    assert order(base="sdxl-1.0").model_id == order(base="sdxl-1.0").model_id
    assert order(base="sdxl-1.0").model_id != order(base="flux.1-dev").model_id
