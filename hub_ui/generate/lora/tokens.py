"""Which image each token is of, in the modules whose inputs are the tokens of all images, one after another.

Everywhere else the first axis of an input is the batch. Here it is not, so that a hook could not tell the rows apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRows:
    """`rows` has the row of the batch for each token, and `batch` is how many rows the batch has."""

    rows: Tensor
    batch: int


# By module; of every module within one, too.
RowsByModule = dict["nn.Module", TokenRows]


@contextmanager
def follow_tokens(parts: Iterable[nn.Module], found: RowsByModule) -> Iterator[None]:
    """Within it, `found` has such modules once the networks run."""
    with ExitStack() as stack:
        stack.callback(found.clear)
        for module in (module for part in parts for module in part.modules()):
            follow = _FOLLOWERS.get(type(module).__name__)
            if follow is not None:
                stack.callback(follow(module, found))
        yield


def _of_equal_length(module: Any, found: RowsByModule) -> Callable[[], None]:
    """Krea 2 fuses the text encoder's layers token by token."""

    def before(_: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        states: Tensor = args[0] if args else kwargs["encoder_hidden_states"]
        _put(found, module.layerwise_blocks, _one_after_another([states.shape[1]] * len(states), states))

    return module.register_forward_pre_hook(before, with_kwargs=True).remove  # type: ignore[no-any-return]


def _of_lists(module: Any, found: RowsByModule) -> Callable[[], None]:
    """Z-Image embeds the tokens of all images, and those of all prompts, whose lengths differ."""
    patchify = module.patchify_and_embed

    def follow(*args: Any, **kwargs: Any) -> Any:
        result = patchify(*args, **kwargs)
        for embedder, values in zip((module.all_x_embedder, module.cap_embedder), result, strict=False):
            _put(found, [embedder], _one_after_another([len(value) for value in values], values[0]))
        return result

    module.patchify_and_embed = follow
    return lambda: delattr(module, "patchify_and_embed")


def _of_experts(module: Any, found: RowsByModule) -> Callable[[], None]:
    """HiDream sorts tokens by the expert that its gate chooses for them."""

    def after(_: Any, args: tuple[Any, ...], result: Any) -> None:
        batch, length, _width = args[0].shape
        choices = result[0].view(-1)
        rows = choices.argsort() // module.num_activated_experts // length
        counts = choices.bincount(minlength=len(module.experts)).tolist()
        for expert, piece in zip(module.experts, rows.split(counts), strict=True):
            _put(found, [expert], TokenRows(rows=piece, batch=batch))

    return module.gate.register_forward_hook(after).remove  # type: ignore[no-any-return]


_FOLLOWERS: Mapping[str, Callable[[Any, RowsByModule], Callable[[], None]]] = {
    "Krea2TextFusion": _of_equal_length,
    "MOEFeedForwardSwiGLU": _of_experts,
    "ZImageTransformer2DModel": _of_lists,
}


def _one_after_another(lengths: Sequence[int], like: Tensor) -> TokenRows:
    import torch

    rows = torch.arange(len(lengths), device=like.device)
    return TokenRows(rows=rows.repeat_interleave(torch.tensor(lengths, device=like.device)), batch=len(lengths))


def _put(found: RowsByModule, modules: Iterable[nn.Module], rows: TokenRows) -> None:
    found.update((within, rows) for module in modules for within in module.modules())
