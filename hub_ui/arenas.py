"""The arenas of malloc in glibc, which by default has eight for each core and gives little of them back."""

import ctypes

# See mallopt(3).
_M_ARENA_MAX = -8
MOST = 2


def limit_arenas() -> bool:
    """Whether this system has arenas to limit. Images are made in threads of their own, so that a page which made a
    hundred took 310 MB more without the limit, and went on to grow.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, MOST))
