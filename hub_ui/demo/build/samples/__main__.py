"""`python -m hub_ui.demo.build.samples [DIR]` writes the sample data to DIR (default: demo/data/samples)."""

import sys
from pathlib import Path

from hub_ui.demo.build.samples.write import write_samples

if __name__ == "__main__":
    write_samples(*map(Path, sys.argv[1:]))
