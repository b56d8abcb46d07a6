"""How much of a LoRA file takes effect on a base, and why the rest does not."""

from dataclasses import dataclass

from hub_ui.i18n import _


@dataclass(frozen=True, kw_only=True, slots=True)
class Missed:
    """Tensors that go nowhere for one `reason`, which completes "48 tensors ..."."""

    reason: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """`applied` of `total` tensors of the file take effect. Alphas count with their layer.

    `remark` is what the file leaves open about those that do; it goes on after a semicolon.
    """

    title: str
    applied: int
    total: int
    missed: tuple[Missed, ...] = ()
    remark: str = ""

    @property
    def whole(self) -> bool:
        return self.applied == self.total

    def sentence(self) -> str:
        """ "456 of 504 tensors applied; 48 of text encoder 2, which this base does not have" """
        head = _("{n} of {m} tensors applied").format(n=self.applied, m=self.total)
        missed = (f"{len(missed.keys)} {missed.reason}" for missed in self.missed)
        return "; ".join(filter(None, [head, *missed, self.remark]))
