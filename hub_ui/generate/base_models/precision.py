"""The precisions that a base's network can be stored in, and the files that hold them."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from hub_ui.generate.base_models.spec import PipelineSpec

Method = Literal["full", "gguf", "fp8", "bitsandbytes"]
Quality = Literal["fast", "balanced", "full"]
_ANY = ("cuda", "mps", "cpu")
_WITH_FP8 = ("cuda", "cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """`bits` are those of one weight with its share of the scales. `devices` are torch's names of what it runs on.

    `package` is the one it needs that is not always installed.
    """

    id: str
    label: str
    method: Method
    bits: float
    devices: tuple[str, ...] = _ANY
    package: str | None = None

    def runs_on(self, device: str) -> bool:
        return device in self.devices and (self.package is None or find_spec(self.package) is not None)


def _gguf(name: str, bits: float) -> Precision:
    return Precision(id=f"gguf-{name.lower()}", label=name.split("_")[0], method="gguf", bits=bits)


FULL = Precision(id="full", label="full precision", method="full", bits=16)
# The best first. The bits of GGUF's are those of a block over its weights (gguf.GGML_QUANT_SIZES); files of the kinds S
# and M have some layers in more bits. Apple's GPUs have no 8-bit floats, and bitsandbytes is for CUDA.
PRECISIONS: tuple[Precision, ...] = (
    FULL,
    _gguf("Q8_0", 8.5),
    Precision(id="fp8", label="8-bit floats", method="fp8", bits=8, devices=_WITH_FP8),
    Precision(
        id="int8", label="8-bit integers", method="bitsandbytes", bits=8, devices=("cuda",), package="bitsandbytes"
    ),
    _gguf("Q6_K", 6.5625),
    _gguf("Q5_K_M", 5.7),
    _gguf("Q5_K_S", 5.5),
    _gguf("Q4_1", 5),
    _gguf("Q4_K_M", 4.85),
    _gguf("Q4_K_S", 4.6),
    _gguf("Q4_0", 4.5),
    Precision(id="nf4", label="nf4", method="bitsandbytes", bits=4.5, devices=("cuda",), package="bitsandbytes"),
)


def precision_by_id(name: str) -> Precision | None:
    return next((precision for precision in PRECISIONS if precision.id == name), None)


def precision_of(spec: PipelineSpec) -> Precision:
    return precision_by_id(spec.precision) or FULL


def stores_text_encoders(device: str) -> bool:
    """Whether the large text encoders of a quantised base are stored in 8-bit floats, as they are where these exist."""
    return device in _WITH_FP8
