"""One stretch of a run, in a process that has loaded the connectors and nothing else of weight: `headers 1 0 5000`."""

from __future__ import annotations

import pickle
import sys
from typing import cast

from tests.tools.fuzz.cases import What, run

if __name__ == "__main__":
    what = cast(What, sys.argv[1])
    seed, start, stop = map(int, sys.argv[2:])
    sys.stdout.buffer.write(pickle.dumps(run(what, seed, range(start, stop))))
