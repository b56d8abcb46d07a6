"""Base models: the table of bases that LoRAs run on, the choice of one, its download and loading."""

from hub_ui.generate.base_models.choose import base_by_id as base_by_id
from hub_ui.generate.base_models.choose import bases_for_architecture as bases_for_architecture
from hub_ui.generate.base_models.choose import check_base_name as check_base_name
from hub_ui.generate.base_models.choose import check_substitution as check_substitution
from hub_ui.generate.base_models.choose import choose_base as choose_base
from hub_ui.generate.base_models.choose import resolve_base as resolve_base
from hub_ui.generate.base_models.choose import substitution_note as substitution_note
from hub_ui.generate.base_models.table import BASES as BASES
from hub_ui.generate.base_models.table import PACKAGED as PACKAGED
from hub_ui.generate.base_models.table import Checkpoint as Checkpoint
from hub_ui.generate.base_models.table import PipelineSpec as PipelineSpec
from hub_ui.generate.base_models.table import SharedComponent as SharedComponent
