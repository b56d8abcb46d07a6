"""BlurHashes of 36 characters, CivitAI's placeholders for images. Source: woltapp/blurhash, Algorithm.md."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
# The number of terms in each direction that CivitAI uses.
_TERMS = 4
_SIDE = 32


def blurhash(picture: Image.Image) -> str:
    small = np.asarray(picture.convert("RGB").resize((_SIDE, _SIDE)), dtype=np.float64) / 255
    linear = np.where(small <= 0.04045, small / 12.92, ((small + 0.055) / 1.055) ** 2.4)
    waves = np.cos(np.pi * np.outer(np.arange(_TERMS), np.arange(_SIDE)) / _SIDE)
    terms = np.einsum("jy,ix,yxc->jic", waves, waves, linear).reshape(-1, 3) * 2 / _SIDE**2
    average, others = terms[0] / 2, terms[1:]
    strongest = int(np.clip(np.floor(np.abs(others).max() * 166 - 0.5), 0, 82))
    return (
        _base83(_TERMS - 1 + (_TERMS - 1) * 9, 1)
        + _base83(strongest, 1)
        + _base83(_mixed(_gamma(average), 256), 4)
        + "".join(_base83(_mixed(_steps(term, (strongest + 1) / 166), 19), 2) for term in others)
    )


def _gamma(linear: NDArray[np.float64]) -> NDArray[np.int64]:
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * np.clip(linear, 0, 1) ** (1 / 2.4) - 0.055)
    return (np.clip(value, 0, 1) * 255 + 0.5).astype(np.int64)


def _steps(term: NDArray[np.float64], strongest: float) -> NDArray[np.int64]:
    """From -1 to 1 in 19 steps, finer near 0."""
    share = term / strongest
    return np.clip(np.floor(np.sign(share) * np.sqrt(np.abs(share)) * 9 + 9.5), 0, 18).astype(np.int64)


def _mixed(colour: NDArray[np.int64], base: int) -> int:
    red, green, blue = (int(part) for part in colour)
    return (red * base + green) * base + blue


def _base83(value: int, digits: int) -> str:
    return "".join(_DIGITS[value // 83**place % 83] for place in reversed(range(digits)))
