"""LTX-Video and LTX-2 in the names of Lightricks' code: the blocks are called alike, what surrounds them is not."""

from __future__ import annotations

from hub_ui.preview.adapters.names.table import Table, same

_ADALN = ("emb.timestep_embedder.linear_1", "emb.timestep_embedder.linear_2", "linear")
_NORMS = {
    f"transformer_blocks.{{}}.{attention}.{theirs}": same(f"transformer_blocks.{{}}.{attention}.{ours}")
    for attention in (
        "attn1", "attn2", "audio_attn1", "audio_attn2", "audio_to_video_attn", "video_to_audio_attn"
    )
    for theirs, ours in (("q_norm", "norm_q"), ("k_norm", "norm_k"))
}  # fmt: skip


def _adaln(theirs: str, ours: str) -> Table:
    return {f"{theirs}.{name}": same(f"{ours}.{name}") for name in _ADALN}


LTX: Table = {"patchify_proj": same("proj_in"), **_adaln("adaln_single", "time_embed"), **_NORMS}
LTX2: Table = {
    **LTX,
    "audio_patchify_proj": same("audio_proj_in"),
    **_adaln("audio_adaln_single", "audio_time_embed"),
    **_adaln("av_ca_video_scale_shift_adaln_single", "av_cross_attn_video_scale_shift"),
    **_adaln("av_ca_a2v_gate_adaln_single", "av_cross_attn_video_a2v_gate"),
    **_adaln("av_ca_audio_scale_shift_adaln_single", "av_cross_attn_audio_scale_shift"),
    **_adaln("av_ca_v2a_gate_adaln_single", "av_cross_attn_audio_v2a_gate"),
    **_adaln("prompt_adaln_single", "prompt_adaln"),
    **_adaln("audio_prompt_adaln_single", "audio_prompt_adaln"),
    "transformer_blocks.{}.scale_shift_table_a2v_ca_video": same(
        "transformer_blocks.{}.video_a2v_cross_attn_scale_shift_table"
    ),
    "transformer_blocks.{}.scale_shift_table_a2v_ca_audio": same(
        "transformer_blocks.{}.audio_a2v_cross_attn_scale_shift_table"
    ),
}
