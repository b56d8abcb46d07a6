"""What computes attention: diffusers' backends that are installed, held against torch's own in the same run.

On FLUX.1's transformer with a tenth of its blocks, at full width and with as many tokens as an image has. Sage computes
in 8 bits; the others differ by rounding alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from diffusers.models.attention_dispatch import attention_backend

from tests.tools.gpu import networks
from tests.tools.gpu.card import Card
from tests.tools.gpu.results import Budget, Line, left_out

BACKENDS = ("_native_cudnn", "_native_flash", "_native_efficient", "flash", "_flash_3", "xformers", "sage")
FEW_BLOCKS = {**networks.FLUX_TRANSFORMER, "num_layers": 2, "num_single_layers": 4}
# What backends raise that are not here, or refuse the device, the type or a mask.
REFUSALS = (RuntimeError, ValueError, TypeError, NameError, ImportError, NotImplementedError, AttributeError)


def lines(
    card: Card, budget: Budget, pipe: Any, *, size: int = 1024, steps: int = 4, backends: Sequence[str] = BACKENDS
) -> Iterator[Line]:
    def draw() -> Any:
        return networks.call(pipe, card, size=size, steps=steps)

    own, seconds = draw(), card.median_seconds(draw, 3)
    yield Line(what=f"{steps} steps of {size} x {size} by torch's own attention", figure=f"{seconds:.3f} s")
    for name in backends:
        what = f"attention by {name}, of the time by torch's own"
        if budget.is_spent():
            yield left_out(what, "the time for this section was over")
            continue
        try:
            with attention_backend(name):
                apart = float((draw() - own).abs().max())
                ratio = card.median_seconds(draw, 3) / seconds
        except REFUSALS as error:
            yield left_out(what, (str(error).splitlines() or [type(error).__name__])[0][:120])
        else:
            yield Line(what=what, figure=f"{ratio:.2f}; latents differ by at most {apart:.4f}")
