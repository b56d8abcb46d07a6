"""What the Try page makes without a click on its own button, once its form is filled in."""

import threading
from dataclasses import dataclass, field
from itertools import count

from hub_ui.pages.try_page.image_files import Original
from hub_ui.web.view import View


@dataclass(frozen=True, kw_only=True, eq=False)
class Order:
    """Images of a view with these LoRAs, made once. With an `original` one is made, to be compared with that.

    With `resumes`, the id of this tab's generation before a reload, that one is followed instead.
    """

    refs: tuple[str, ...] = ()
    original: Original | None = None
    resumes: str = ""
    number: int = field(default_factory=count(1).__next__)
    _claimed: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @staticmethod
    def of(view: View, original: Original | None = None) -> "Order":
        return Order(refs=tuple(s.ref for s in view.stack), original=original)

    def is_due(self, view: View) -> bool:
        """Whether nobody has it yet, and the view has its LoRAs."""
        return not self._claimed.locked() and {s.ref for s in view.stack}.issuperset(self.refs)

    def claim(self) -> bool:
        """True for the first of all that ask, in whichever thread."""
        return self._claimed.acquire(blocking=False)
