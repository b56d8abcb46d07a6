"""One base model: a lineage on an architecture, and how each hub spells it."""

from __future__ import annotations

from dataclasses import dataclass

# Licences of several base models.
APACHE = "Apache 2.0"
RAIL_PP = "CreativeML Open RAIL++-M"
STABILITY = "Stability AI Community License Agreement"


@dataclass(frozen=True, kw_only=True, slots=True)
class BaseModel:
    """`architecture` is None where the weights are not published, so that no file can prove one.

    `repos` are Hugging Face ids, the author's own first, by which LoRAs are searched. `also` are repos that are only
    recognised, and by their whole name: each one searched by costs a request, and some are called like a style.
    `license` is the base's own, which binds its LoRAs too.
    """

    id: str
    label: str
    architecture: str | None
    civitai: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    license: str | None = None


def row(
    model_id: str,
    label: str,
    architecture: str | None = None,
    *,
    civitai: str = "",
    repos: str = "",
    also: str = "",
    aliases: str = "",
    license: str | None = None,
) -> BaseModel:
    """A row of the table: names are separated by commas, repos by spaces."""
    return BaseModel(
        id=model_id,
        label=label,
        architecture=architecture,
        civitai=tuple(civitai.split(", ")) if civitai else (),
        repos=tuple(repos.split()),
        also=tuple(also.split()),
        aliases=tuple(aliases.split(", ")) if aliases else (),
        license=license,
    )
