"""Base models: a table of what LoRAs can be tried on, the choice among them, their download and loading.

spec.py         one of them, as data; table.py: the rows, and how to add one
choose.py       which one a LoRA is tried on, and a person's own repo, folder or checkpoint
download.py     what a base would take, then its files in Hugging Face's cache; repo_layout.py: which files those are
load.py         those files -> diffusers' pipeline
"""

from hub_ui.generate.base_models.choose import BASES as BASES
from hub_ui.generate.base_models.choose import base_by_id as base_by_id
from hub_ui.generate.base_models.choose import bases_for_architecture as bases_for_architecture
from hub_ui.generate.base_models.choose import check_base_name as check_base_name
from hub_ui.generate.base_models.choose import choose_base as choose_base
from hub_ui.generate.base_models.choose import resolve_base as resolve_base
from hub_ui.generate.base_models.spec import Checkpoint as Checkpoint
from hub_ui.generate.base_models.spec import PipelineSpec as PipelineSpec
from hub_ui.generate.base_models.spec import SharedComponent as SharedComponent
from hub_ui.generate.base_models.spec import VideoSpec as VideoSpec
from hub_ui.generate.base_models.table import PACKAGED as PACKAGED
