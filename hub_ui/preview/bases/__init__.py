"""Base models: a table of what LoRAs can be tried on, and the choice among them.

base_choice.py   one of them, as data
image.py film.py the rows; how to add one stands in image.py
choice.py        which one a LoRA is tried on, and a person's own repo, folder or checkpoint
"""

from hub_ui.preview.bases.base_choice import BaseChoice as BaseChoice
from hub_ui.preview.bases.base_choice import Borrowed as Borrowed
from hub_ui.preview.bases.base_choice import Checkpoint as Checkpoint
from hub_ui.preview.bases.base_choice import Film as Film
from hub_ui.preview.bases.choice import BASES as BASES
from hub_ui.preview.bases.choice import alternatives as alternatives
from hub_ui.preview.bases.choice import by_id as by_id
from hub_ui.preview.bases.choice import check_name as check_name
from hub_ui.preview.bases.choice import choose as choose
from hub_ui.preview.bases.choice import fitting as fitting
from hub_ui.preview.bases.choice import for_architecture as for_architecture
from hub_ui.preview.bases.choice import settled as settled
from hub_ui.preview.bases.packaged import PACKAGED as PACKAGED
