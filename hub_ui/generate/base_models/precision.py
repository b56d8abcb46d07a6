"""The precisions that a base's network can be stored in, and the files that hold them."""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Literal

from hub_ui.generate.base_models.spec import Checkpoint, NetworkFile, PipelineSpec
from hub_ui.generate.base_models.table import FILES

Method = Literal["full", "gguf", "fp8", "bitsandbytes"]
Quality = Literal["fast", "balanced", "full"]
NETWORKS = ("unet", "transformer", "transformer_2")
# Below this, in parameters, a text encoder is too small to be worth the rounding: CLIP is, T5-XXL is not.
WORTH_STORING = 1_000_000_000
# What unpacking a layer takes for each of its weights, in bytes of the GPU: GGUF's blocks are split into halves first.
_UNPACKING = {"gguf-q4": 5.3, "gguf-q5": 7.3, "gguf-q6": 7.0, "gguf-q8": 4.0}
# The parameters of the largest layer that a text encoder unpacks.
_STORED_LAYER = 4096 * 10240
# Those of T5's that keep their type, by all parameters: of T5-XXL, UMT5-XXL and Pile-T5-XL.
_KEPT_OF_T5 = {
    4_762_310_656: 24 * 4096 * 10240, 5_680_910_336: 24 * 4096 * 10240, 1_223_550_976: 24 * 2048 * 5120,
}  # fmt: skip
_ANY = ("cuda", "xpu", "mps", "cpu")
_WITH_FP8 = ("cuda", "xpu", "cpu")


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """`bits` are those of one weight with its share of the scales. `devices` are torch's names of what it runs on.

    `package` is the one it needs that is not always installed. `in_float16`: layers compute in it, whatever the base
    does.
    """

    id: str
    label: str
    method: Method
    bits: float
    devices: tuple[str, ...] = _ANY
    package: str | None = None
    in_float16: bool = False

    @property
    def goes_by_layers(self) -> bool:
        """Whether its layers can be kept elsewhere one by one: bitsandbytes' have scales that stay behind."""
        return self.method != "bitsandbytes"

    def runs_on(self, device: str) -> bool:
        return device in self.devices and (self.package is None or find_spec(self.package) is not None)


def _gguf(name: str, bits: float) -> Precision:
    return Precision(id=f"gguf-{name.lower()}", label=name.split("_")[0], method="gguf", bits=bits)


FULL = Precision(id="full", label="full precision", method="full", bits=16)
# The best first: of Gaussian weights, 8-bit integers with a scale for each row keep 41 dB, 8-bit floats 30. The bits of
# GGUF's are those of a block over its weights (gguf.GGML_QUANT_SIZES); files of the kinds S
# and M have some layers in more bits. Apple's GPUs have no 8-bit floats, and bitsandbytes is for CUDA.
PRECISIONS: tuple[Precision, ...] = (
    FULL,
    _gguf("Q8_0", 8.5),
    Precision(
        id="int8",
        label="8-bit integers",
        method="bitsandbytes",
        bits=8,
        devices=("cuda",),
        package="bitsandbytes",
        in_float16=True,
    ),
    Precision(id="fp8", label="8-bit floats", method="fp8", bits=8, devices=_WITH_FP8),
    _gguf("Q6_K", 6.5625),
    _gguf("Q5_K_M", 5.7),
    _gguf("Q5_K_S", 5.5),
    _gguf("Q4_1", 5),
    _gguf("Q4_K_M", 4.85),
    _gguf("Q4_K_S", 4.6),
    _gguf("Q4_0", 4.5),
    Precision(id="nf4", label="nf4", method="bitsandbytes", bits=4.5, devices=("cuda",), package="bitsandbytes"),
    # A user's own file of a type that is in no row.
    Precision(id="gguf", label="GGUF", method="gguf", bits=8),
)


def precision_by_id(name: str) -> Precision | None:
    return next((precision for precision in PRECISIONS if precision.id == name), None)


def precision_name(name: str) -> str:
    """The label of a precision by its id; the id of one that a later version has."""
    found = precision_by_id(name)
    return found.label if found else name


def precision_of(spec: PipelineSpec) -> Precision:
    return precision_by_id(spec.precision) or FULL


def stores_text_encoders(device: str) -> bool:
    """Whether the large text encoders of a quantised base are stored in 8-bit floats, as they are where these exist."""
    return device in _WITH_FP8


def in_precision(spec: PipelineSpec, precision: str) -> PipelineSpec | None:
    """The base with its network in another precision; None where there is no such file, or the network is a file."""
    if precision == spec.precision:
        return spec
    known, file = precision_by_id(precision), _file(spec, precision)
    own = spec.checkpoint if _file(spec, spec.precision) is None else None
    if known is None or own is not None or spec.is_modular or (known.method == "gguf" and file is None):
        return None
    checkpoint = None
    if file is not None:
        beside = (("transformer_2", file.second),) if file.second else ()
        brings = frozenset({"transformer", *(part for part, _ in beside)})
        checkpoint = Checkpoint(repo=file.repo, file=file.file, brings=brings, beside=beside)
    return replace(spec, precision=precision, checkpoint=checkpoint)


def precise_label(spec: PipelineSpec) -> str:
    """ "FLUX.1 dev in Q4"; the base's label alone in full precision, and where it is a user's own file."""
    precision = precision_of(spec)
    is_own = spec.checkpoint is not None and spec.checkpoint.repo is None
    return spec.label if is_own or precision == FULL else f"{spec.label} in {precision.label}"


def precisions_of(spec: PipelineSpec, device: str) -> list[PipelineSpec]:
    """The base in every precision that it has on such a device and does not overflow in, the best first."""
    found = (
        in_precision(spec, precision.id)
        for precision in PRECISIONS
        if precision.runs_on(device) and (spec.runs_in_float16 or not precision.in_float16)
    )
    return [one for one in found if one is not None]


def weight_bytes(spec: PipelineSpec, part: str, parameters: int, table: int, *, width: float, kind: str) -> int:
    """The bytes of a part's weights on a device of that kind; `width` are those of one in the type that is computed in.

    `table` are the parameters of a text encoder's table of words, which keeps that type.
    """
    precision = precision_of(spec)
    if part == "vae" and spec.decodes_in_float32:
        return parameters * 4
    if precision.method != "full" and part in NETWORKS:
        file = _file(spec, spec.precision)
        return round(file.gigabytes * 1e9 if file else parameters * precision.bits / 8)
    if _is_stored(spec, part, parameters, kind):
        kept = table + _KEPT_OF_T5.get(parameters, 0)
        return round(parameters - kept + kept * width)
    return round(parameters * width)


def layer_bytes(spec: PipelineSpec, part: str, parameters: int, *, width: float) -> int:
    """The bytes of the largest layer of a part, as it is stored."""
    precision = precision_of(spec)
    return round(parameters * (precision.bits / 8 if part in NETWORKS and precision.method != "full" else width))


def bytes_to_unpack(spec: PipelineSpec, part: str, parameters: int, largest: int, *, width: float, kind: str) -> int:
    """The bytes that a part takes more while its largest layer computes, which unpacks its weights for that."""
    precision = precision_of(spec)
    if precision.method != "full" and part in NETWORKS:
        return round(largest * _UNPACKING.get(precision.id[:7], width))
    return round(_STORED_LAYER * width) if _is_stored(spec, part, parameters, kind) else 0


def _is_stored(spec: PipelineSpec, part: str, parameters: int, kind: str) -> bool:
    """Whether it is a text encoder in 8-bit floats."""
    is_large = part.startswith("text_encoder") and parameters >= WORTH_STORING
    return precision_of(spec).method != "full" and is_large and stores_text_encoders(kind)


def _file(spec: PipelineSpec, precision: str) -> NetworkFile | None:
    return next((file for file in FILES.get(spec.id, ()) if file.precision == precision), None)
