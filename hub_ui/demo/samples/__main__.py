"""`python -m hub_ui.demo.samples DIR` writes the sample data into DIR."""

import sys
from pathlib import Path

from hub_ui.demo.samples.write import write_samples

if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
