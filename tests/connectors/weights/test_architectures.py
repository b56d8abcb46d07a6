"""The rules about architectures, one by one: a few layers of each network, in the names of several trainers."""

import pytest

from connectors.claims.base_models import ARCHITECTURES
from connectors.weights.architectures import RULES
from connectors.weights.file_type import Structure, structure_of
from tests.connectors.weights.building import Shapes, lora, tensors


def structure(shapes: Shapes) -> Structure:
    return structure_of(tensors(shapes))


# By architecture: (style, layers). Few layers each, as files have that were trained on some of them alone.
DECIDED: dict[str, tuple[tuple[str, str], ...]] = {
    "hidream": (
        ("kohya", "double_stream_blocks.0.block.attn1.to_q 2560>2560"),
        ("diffusers", "single_stream_blocks.0.block.attn1.to_q 2560>2560"),
        ("lycoris", "double_stream_blocks.0.block.attn1.to_q 2560>2560"),
    ),
    "auraflow": (
        ("diffusers", "joint_transformer_blocks.0.attn.to_q 3072>3072"),
        ("kohya", "joint_transformer_blocks.0.attn.to_q 3072>3072"),
        ("ai-toolkit", "double_layers.0.attn.w1q 3072>3072"),
        ("kohya", "single_layers.0.attn.w1q 3072>3072"),
        ("diffusers", "single_transformer_blocks.0.ff.linear_1 3072>8192"),
        ("diffusers",
         "single_transformer_blocks.0.attn.to_q 3072>3072,"
         "single_transformer_blocks.0.attn.to_out.0 3072>3072"),
        ("diffusers", "double_layers.0.attn.w1q 3072>3072"),
    ),
    "flux3": (
        ("kohya", "mode_blocks.image.0.attn.to_q 3072>3072"),
        ("diffusers", "txt_mode_blocks.0.ff.linear_in 3072>18432"),
        ("diffusers", "single_transformer_blocks.0.ff.linear_in 3072>18432"),
    ),
    "kandinsky6": (
        ("kohya", "video_text_transformer_blocks.0.attn.to_query 4096>4096"),
        ("diffusers", "visual_transformer_blocks.0.video_dec_block.self_attention.to_query 4096>4096"),
    ),
    "joy-image": (
        ("kohya", "double_blocks.0.attn.img_attn_qkv 3072>9216"),
        ("ai-toolkit", "double_blocks.0.txt_mlp.net.0.proj 3072>12288"),
        ("bare", "double_blocks.0.img_attn_qkv 4096>12288"),
        ("kohya", "double_blocks.0..39.img_attn_qkv 4096>12288,double_blocks.0..39.txt_attn_proj 4096>4096"),
    ),
    "ovis-image": (
        ("kohya", "single_transformer_blocks.0.proj_mlp 3072>24576"),
        ("diffusers", "transformer_blocks.0.ff.net.0.proj 3072>24576,transformer_blocks.0.attn.to_q 3072>3072"),
    ),
    "sd3": (
        ("kohya", "joint_blocks.0.x_block.attn.qkv 1536>4608"),
        ("kohya", "joint_blocks.0.context_block.mlp.fc1 2432>9728"),
        ("diffusers", "transformer_blocks.0.attn.to_q 1536>1536"),
        ("diffusers", "transformer_blocks.0.attn.to_q 2432>2432,transformer_blocks.0.attn.to_v 2432>2432"),
        ("diffusers", "transformer_blocks.0.attn.add_k_proj 1536>1536"),
        ("diffusers", "transformer_blocks.0.ff_context.net.0.proj 1536>6144"),
        ("diffusers", "transformer_blocks.0.ff_context.net.0.proj 2432>9728"),
        ("diffusers", "transformer_blocks.0.attn2.to_q 1536>1536,transformer_blocks.0.attn.to_q 1536>1536"),
        ("kohya", "transformer_blocks.0.attn.to_q 2432>2432"),
    ),
    "krea2": (
        ("kohya", "blocks.0.attn.wq 6144>6144"),
        ("kohya", "txtfusion.layerwise_blocks.0.attn.wq 2560>2560"),
        ("ai-toolkit", "blocks.0.mlp.gate 6144>16384"),
        ("diffusers", "transformer_blocks.0.attn.to_gate 6144>6144,transformer_blocks.0.attn.to_q 6144>6144"),
        ("diffusers", "text_fusion.layerwise_blocks.0.attn.to_q 2560>2560"),
        ("kohya", "transformer_blocks.0.attn.to_gate 6144>6144"),
    ),
    "kandinsky5": (
        ("diffusers", "visual_transformer_blocks.0.cross_attention.to_query 1792>1792"),
        ("kohya", "visual_transformer_blocks.0.feed_forward.in_layer 4096>16384"),
        ("ai-toolkit", "text_transformer_blocks.0.self_attention.to_query 2560>2560"),
    ),
    "chroma": (
        ("kohya", "distilled_guidance_layer.layers.0.in_layer 5120>5120"),
        ("diffusers", "distilled_guidance_layer.layers.0.linear_1 5120>5120"),
        ("ai-toolkit",
         "img_in 64>3072,double_blocks.0..18.img_attn.qkv 3072>9216,double_blocks.0..18.txt_attn.qkv 3072>9216,"
         "double_blocks.0..18.img_mlp.0 3072>12288,double_blocks.0..18.txt_mlp.0 3072>12288,"
         "single_blocks.0..37.linear1 3072>21504,single_blocks.0..37.linear2 15360>3072"),
    ),
    "flux2": (
        ("diffusers", "double_stream_modulation_img.linear 4096>24576"),
        ("ai-toolkit", "double_stream_modulation_img.lin 4096>24576"),
        ("kohya", "single_stream_modulation.lin 3072>9216"),
        ("kohya", "double_blocks.0.img_attn.qkv 4096>12288"),
        ("ai-toolkit", "double_blocks.0.txt_mlp.0 6144>36864"),
        ("kohya", "double_blocks.0.img_mlp.0 3072>18432"),
        ("kohya", "single_blocks.0.linear1 3072>27648"),
        ("kohya", "single_blocks.0.linear2 12288>3072"),
        ("diffusers",
         "transformer_blocks.0.attn.to_q 4096>4096,"
         "single_transformer_blocks.0.attn.to_qkv_mlp_proj 4096>36864"),
        ("diffusers", "transformer_blocks.0.attn.to_q 6144>6144"),
        ("diffusers", "transformer_blocks.0.ff.linear_in 3072>18432"),
        ("diffusers",
         "transformer_blocks.0.ff.linear_in 3072>18432,"
         "single_transformer_blocks.0.attn.to_qkv_mlp_proj 3072>27648"),
        ("diffusers", "single_transformer_blocks.0.attn.to_out 12288>3072"),
        ("kohya", "double_stream_modulation_img.lin 6144>36864"),
        ("ai-toolkit", "double_blocks.0.img_attn.qkv 6144>18432"),
    ),
    "sdxl": (
        ("unet", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k 2048>640"),
        ("kohya", "input_blocks.4.1.transformer_blocks.0.attn2.to_v 2048>640"),
        ("unet", "mid_block.attentions.0.transformer_blocks.3.attn1.to_q 1280>1280"),
        ("kohya", "middle_block.1.transformer_blocks.9.attn1.to_q 1280>1280"),
        ("kohya", "output_blocks.0.1.transformer_blocks.0.attn1.to_q 1280>1280"),
        ("kohya", "output_blocks.3.1.transformer_blocks.0.attn1.to_q 640>640"),
        ("unet", "up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q 1280>1280"),
        ("unet", "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q 640>640"),
        ("kohya-te2", "text_model.encoder.layers.0.self_attn.q_proj 1280>1280"),
        ("encoder2", "text_model.encoder.layers.0.self_attn.q_proj 1280>1280"),
        ("old", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k 2048>640"),
    ),
    "sd2": (
        ("unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k 1024>320"),
        ("kohya", "input_blocks.1.1.transformer_blocks.0.attn2.to_v 1024>320"),
        ("kohya",
         "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q 320>320,"
         "down_blocks.0.attentions.0.proj_in 320>320"),
        ("kohya-te", "text_model.encoder.layers.0.self_attn.q_proj 1024>1024"),
        ("encoder", "text_model.encoder.layers.0.self_attn.q_proj 1024>1024"),
        ("unet",
         "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q 320>320,"
         "down_blocks.0.attentions.0.proj_in 320>320"),
    ),
    "sd1": (
        ("unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k 768>320"),
        ("kohya", "input_blocks.1.1.transformer_blocks.0.attn2.to_v 768>320"),
        ("kohya",
         "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q 320>320,"
         "down_blocks.0.attentions.0.proj_in 320>320:1"),
        ("kohya-te", "text_model.encoder.layers.0.self_attn.q_proj 768>768"),
    ),
    "tiny-shapes": (
        ("unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k 96>320"),
        ("kohya", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k 96>320"),
    ),
    "svd": (
        ("unet", "down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q 320>320"),
        ("kohya", "down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q 320>320"),
    ),
    "anima": (
        ("kohya-te", "layers.0.self_attn.q_proj 1024>2048"),
        ("kohya", "llm_adapter.blocks.0.self_attn.q_proj 1024>1024"),
        ("kohya", "blocks.0.cross_attn.k_proj 1024>2048"),
        ("ai-toolkit", "blocks.0.mlp.layer1 2048>8192"),
        ("comfy", "blocks.0.self_attn.q_proj 2048>2048,blocks.0.mlp.layer2 8192>2048"),
        ("diffusers", "llm_adapter.blocks.0.self_attn.q_proj 1024>1024"),
    ),
    "hunyuan-image": (
        ("kohya", "double_blocks.0.img_attn.qkv 3584>10752"),
        ("kohya", "double_blocks.0.img_mod.linear 3584>21504"),
        ("kohya", "single_blocks.0.modulation.linear 3584>10752"),
        ("ai-toolkit", "double_blocks.0.img_attn_q 3584>3584"),
        ("kohya", "double_blocks.0.img_attn.qkv 3328>9984"),
        ("diffusers", "single_transformer_blocks.0..39.attn.to_q 3328>3328"),
        ("diffusers", "transformer_blocks.0.attn.to_q 3328>3328,transformer_blocks.0.attn.add_q_proj 3328>3328"),
        ("diffusers", "single_transformer_blocks.0.norm.linear 3584>10752"),
        ("diffusers",
         "transformer_blocks.0.attn.to_q 3584>3584,transformer_blocks.0.attn.add_q_proj 3584>3584"),
    ),
    "hunyuan-video-1.5": (
        ("kohya", "double_blocks.0.img_attn_q 2048>2048"),
        ("kohya", "double_blocks.0.txt_mod.linear 2048>12288"),
        ("diffusers",
         "transformer_blocks.0.attn.to_q 2048>2048,transformer_blocks.0.attn.add_q_proj 2048>2048"),
    ),
    "hunyuan-video": (
        ("diffusers", "double_blocks.0..19.img_mod.lin 3072>18432,single_blocks.0..39.modulation.lin 3072>9216"),
        ("kohya", "double_blocks.0.img_attn_qkv 3072>9216,double_blocks.0.img_mlp.fc1 3072>12288"),
        ("ai-toolkit", "single_blocks.39.linear1 3072>21504"),
        ("hunyuan-i2v", "double_blocks.0.img_attn_qkv 3072>9216,double_blocks.0.img_mod.linear 3072>18432"),
        ("diffusers",
         "context_embedder.token_refiner.refiner_blocks.0.attn.to_q 3072>3072,"
         "transformer_blocks.0.attn.to_q 3072>3072"),
        ("diffusers", "single_transformer_blocks.0..39.attn.to_q 3072>3072"),
        ("kohya",
         "transformer_blocks.0..19.attn.to_q 3072>3072,"
         "single_transformer_blocks.0..39.attn.to_q 3072>3072"),
    ),
    "flux1": (
        ("kohya", "double_blocks.0.img_mod.lin 3072>18432"),
        ("kohya", "single_blocks.7.modulation.lin 3072>9216"),
        ("ai-toolkit", "vector_in.in_layer 768>3072,single_blocks.7.linear1 3072>21504"),
    ),
    "qwen-image": (
        ("onetrainer", "transformer_blocks.0..59.attn.to_q 3072>3072"),
        ("diffusers", "transformer_blocks.0.img_mlp.net.0.proj 3072>12288"),
        ("kohya", "transformer_blocks.0.txt_mod.1 3072>18432"),
        ("ai-toolkit", "transformer_blocks.0..59.attn.to_q 3072>3072"),
        ("lycoris", "transformer_blocks.0.img_mlp.net.2 12288>3072"),
        ("bare", "transformer_blocks.0.img_mod.1 3072>18432"),
    ),
    "ltx-video-2": (
        ("diffusers",
         "transformer_blocks.0.attn1.to_q 4096>4096,transformer_blocks.0.audio_attn1.to_q 2048>2048"),
        ("ai-toolkit", "transformer_blocks.0.audio_to_video_attn.to_q 4096>2048"),
        ("kohya", "transformer_blocks.0.audio_attn1.to_q 2048>2048"),
    ),
    "ltx-video": (
        ("diffusers", "transformer_blocks.0.attn1.to_q 2048>2048,transformer_blocks.0.attn2.to_v 2048>2048"),
        ("ai-toolkit", "transformer_blocks.0.attn1.to_k 2048>2048,transformer_blocks.0.attn2.to_k 2048>2048"),
        ("kohya", "transformer_blocks.0..27.attn1.to_q 2048>2048,transformer_blocks.0..27.attn2.to_k 2048>2048"),
    ),
    "qwen-image-2": (
        ("diffusers", "transformer_blocks.0.img_mlp.gate_up 4096>12288"),
        ("kohya", "transformer_blocks.0.attn.to_q 4096>4096,transformer_blocks.0.img_mlp.out 12288>4096"),
        ("diffusers", "transformer_blocks.0..9.attn.to_q 4096>4096"),
    ),
    "ace-step": (
        ("diffusers", "transformer_blocks.0.cross_attn.to_q 2560>2560"),
        ("kohya", "layers.0.cross_attn.to_q 2048>2048"),
        ("peft", "layers.0.self_attn.q_proj 2048>2048,layers.0.cross_attn.q_proj 2048>2048"),
    ),
    "minimax-h3": (
        ("diffusers", "transformer_blocks.0.attn.to_q 5376>5376"),
        ("kohya", "blocks.0.attn.qkv_proj 5376>21504"),
        ("comfy", "transformer_blocks.0.attn.to_q 5376>5376"),
    ),
    "mochi": (
        ("diffusers",
         "transformer_blocks.0.attn1.to_q 3072>3072,transformer_blocks.0.attn1.add_q_proj 1536>3072"),
        ("kohya", "transformer_blocks.0.attn1.to_q 3072>3072,transformer_blocks.0.attn1.add_q_proj 1536>3072"),
        ("diffusers", "transformer_blocks.0.attn1.to_q 3072>3072,time_embed.pooler.to_kv 4096>8192"),
    ),
    "cogvideox": (
        ("diffusers", "transformer_blocks.0.attn1.to_q 1920>1920"),
        ("kohya", "transformer_blocks.0..41.attn1.to_q 3072>3072"),
    ),
    "easyanimate": (
        ("diffusers", "transformer_blocks.0.attn1.to_q 3072>3072,transformer_blocks.0.attn1.add_q_proj 3072>3072"),
        ("kohya", "transformer_blocks.0.attn1.to_q 3072>3072,transformer_blocks.0.txt_ff.net.0.proj 3072>12288"),
    ),
    "cosmos": (
        ("diffusers", "transformer_blocks.0.attn1.to_q 4096>4096,transformer_blocks.0.attn2.to_k 1024>4096"),
        ("kohya", "transformer_blocks.0.attn1.to_q 5120>5120"),
        ("own", "blocks.0.self_attn.q_proj 5120>5120"),
        ("ai-toolkit", "blocks.0.self_attn.q_proj 4096>4096"),
    ),
    "allegro": (
        ("diffusers", "transformer_blocks.0.attn1.to_q 2304>2304"),
        ("kohya", "transformer_blocks.0.attn1.to_q 2304>2304"),
    ),
    "stable-audio": (
        ("diffusers", "transformer_blocks.0.attn1.to_q 1536>1536"),
        ("kohya", "transformer_blocks.0.attn1.to_q 1536>1536"),
    ),
    "stable-audio-3": (
        ("diffusers", "transformer_blocks.0.cross_attn.to_kv 1536>4608"),
        ("kohya", "transformer_blocks.0.self_attn.to_qkv 1536>7680"),
    ),
    "boogu": (
        ("ai-toolkit", "double_stream_layers.0.img_self_attn.to_q 3360>3360"),
        ("kohya", "single_stream_layers.0.attn.to_q 3360>3360"),
    ),
    "f-lite": (
        ("ai-toolkit", "blocks.0.self_attn.qkv 3072>9216,blocks.0.cross_attn.context_kv 4096>6144"),
        ("kohya", "blocks.0.cross_attn.context_kv 4096>6144"),
    ),
    "mageflow": (
        ("ai-toolkit", "transformer_blocks.0..11.img_mod.1 3072>18432"),
        ("kohya", "transformer_blocks.0..11.img_mlp.net.0.proj 3072>12288"),
    ),
    "nucleus-image": (
        ("ai-toolkit", "transformer_blocks.0.encoder_proj 3584>2048"),
        ("kohya", "transformer_blocks.3.img_mlp.shared_expert.net.2 1344>2048"),
        ("diffusers", "transformer_blocks.0.attn.to_q 2048>2048,transformer_blocks.0.attn.to_k 2048>512"),
        ("peft", "transformer_blocks.0..23.attn.to_q 2048>2048,transformer_blocks.0..23.attn.add_k_proj 2048>2048"),
    ),
    "motif-video": (
        ("diffusers", "context_embedder.linear_1 4096>1536,transformer_blocks.0.attn.to_q 1536>1536"),
        ("kohya", "context_embedder.linear_1 4096>1536,transformer_blocks.0.attn.to_q 1536>1536"),
    ),
    "bria-fibo": (
        ("diffusers", "caption_projection.0.linear 2048>1536,single_transformer_blocks.0.attn.to_q 3072>3072"),
        ("kohya", "caption_projection.0.linear 2048>1536,single_transformer_blocks.0.attn.to_q 3072>3072"),
    ),
    "sana-video": (
        ("diffusers", "transformer_blocks.0.ff.conv_temp 2240>2240:3"),
        ("kohya", "transformer_blocks.0.ff.conv_temp 2240>2240:3"),
    ),
    "latte": (
        ("diffusers", "temporal_transformer_blocks.0.attn1.to_q 1152>1152"),
        ("kohya", "temporal_transformer_blocks.0.attn1.to_q 1152>1152"),
    ),
    "prx": (
        ("ai-toolkit", "blocks.0.attention.img_qkv_proj 1792>5376"),
        ("kohya", "blocks.0.attention.txt_kv_proj 3584>7168"),
        ("diffusers", "blocks.0..15.attention.to_out.0 1792>1792"),
    ),
    "hidream-o1": (
        ("kohya", "model.language_model.layers.0.self_attn.q_proj 4096>4096"),
        ("ai-toolkit", "language_model.layers.0.mlp.gate_proj 4096>12288"),
    ),
    "ssd-1b": (
        ("unet", "down_blocks.2.attentions.1.transformer_blocks.0..3.attn2.to_k 2048>1280"),
        ("kohya", "input_blocks.8.1.transformer_blocks.0..3.attn2.to_k 2048>1280"),
    ),
    "sana": (
        ("diffusers", "transformer_blocks.0.ff.conv_inverted 1152>5760:1"),
        ("kohya", "transformer_blocks.0..59.attn1.to_q 2240>2240"),
        ("diffusers",
         "transformer_blocks.0.ff.conv_inverted 2240>11200:1,transformer_blocks.0.ff.conv_depth 1>11200:3,"
         "transformer_blocks.0.ff.conv_point 5600>2240:1"),
    ),
    "pixart": (
        ("peft", "transformer_blocks.0.attn1.to_q 1152>1152,adaln_single.linear 1152>6912"),
        ("kohya",
         "transformer_blocks.0.attn1.to_q 1152>1152,transformer_blocks.0.attn2.to_q 1152>1152,"
         "transformer_blocks.0.ff.net.0.proj 1152>4608"),
        ("kohya", "transformer_blocks.0.attn1.to_q 1152>1152,adaln_single.linear 1152>6912"),
    ),
    "ernie": (
        ("diffusers", "layers.0.self_attention.to_q 4096>4096"),
        ("kohya", "layers.0.self_attention.to_q 4096>4096"),
    ),
    "cosmos3": (
        ("diffusers", "layers.0.self_attn.to_q 4096>4096"),
        ("kohya", "layers.0.self_attn.add_q_proj 2048>2048"),
        ("peft", "layers.0.mlp_moe_gen.up_proj 2048>6144"),
    ),
    "longcat-video": (
        ("bare", "blocks.0.attn.qkv 4096>12288,blocks.0.cross_attn.kv_linear 4096>8192"),
        ("kohya", "blocks.0..47.ffn.w1 4096>11008"),
    ),
    "lingbot-video": (
        ("bare", "blocks.0..23.attn.to_q 2048>2048,blocks.0..23.attn.to_out 2048>2048"),
        ("bare", "blocks.0..47.attn.to_v 2048>2048"),
        ("kohya", "blocks.0.ffn.gate_proj 2048>6144"),
    ),
    "lumina2": (
        ("kohya", "noise_refiner.0.attention.qkv 2304>4608"),
        ("diffusers", "layers.0.attn.to_q 2304>2304"),
    ),
    "omnigen2": (
        ("diffusers", "layers.0.attn.to_q 2520>2520"),
        ("kohya", "layers.0.attn.to_q 2520>2520"),
    ),
    "ideogram4": (
        ("ai-toolkit", "layers.0.attention.qkv 4608>13824"),
        ("kohya", "layers.0.attention.qkv 4608>13824"),
    ),
    "wan": (
        ("kohya", "blocks.0.self_attn.q 5120>5120"),
        ("diffusers", "blocks.0.attn1.to_q 1536>1536"),
        ("ai-toolkit", "blocks.0.cross_attn.k_img 5120>5120"),
        ("ai-toolkit", "blocks.0.ffn.0 3072>14336"),
        ("diffusers", "blocks.0.ffn.net.0.proj 5120>13824"),
        ("comfy", "blocks.0.self_attn.o 5120>5120"),
        ("bare", "blocks.0.ffn.2 8960>1536"),
        ("bare", "blocks.0.self_attn.q 5120>5120"),
        ("kohya", "img_emb.proj.1 1280>1280"),
        ("diffusers", "blocks.0.attn1.to_out.0 5120>5120"),
        ("diffusers", "blocks.0.attn2.add_k_proj 5120>5120"),
        ("diffusers", "blocks.0.self_attn.to_q 5120>5120,blocks.0.cross_attn.add_v_proj 5120>5120"),
    ),
    "hunyuan-dit": (
        ("kohya", "blocks.0.attn1.Wqkv 1408>4224"),
        ("own", "blocks.0.attn2.kv_proj 1408>2816"),
    ),
    "stable-cascade": (
        ("cascade", "down_blocks.0.3.attention.attn.in_proj 2048>2048"),
    ),
}  # fmt: skip
# The tensors fit several networks, and the one after the "~" is then meant.
LEFT_OPEN: tuple[tuple[str, str, str], ...] = (
    ("kohya", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q 320>320", "sd1 sd2"),
    ("kohya", "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q 640>640", "sd1 sd2 sdxl"),
    ("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q 1280>1280", "sd1 sd2 sdxl"),
    ("kohya", "output_blocks.11.1.transformer_blocks.0.attn1.to_q 320>320", "sd1 sd2"),
    ("unet", "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q 1280>1280", "sd1 sd2"),
    ("unet", "down_blocks.3.resnets.0.conv1 1280>1280:3", "sd1 sd2"),
    ("kohya", "up_blocks.3.resnets.0.conv1 640>320:3", "sd1 sd2"),
    ("kohya", "input_blocks.1.0.in_layers.2 320>320:3", "sd1 sd2 sdxl"),
    ("kohya", "double_blocks.0.img_attn.qkv 3072>9216", "flux1 chroma hunyuan-video ~flux1"),
    ("ai-toolkit", "single_blocks.0.linear1 3072>21504", "flux1 chroma hunyuan-video ~flux1"),
    ("ai-toolkit", "single_blocks.7.linear1 3072>21504,single_blocks.20.linear1 3072>21504",
     "flux1 chroma hunyuan-video ~flux1"),
    ("kohya", "double_blocks.0..18.img_attn.qkv 3072>9216,single_blocks.0..37.linear1 3072>21504",
     "flux1 chroma ~flux1"),
    ("diffusers", "single_transformer_blocks.7.attn.to_q 3072>3072",
     "flux1 chroma hunyuan-video longcat-image bria-fibo ovis-image ~flux1"),
    ("onetrainer", "single_transformer_blocks.0.attn.to_q 3072>3072",
     "flux1 chroma hunyuan-video longcat-image bria-fibo ovis-image ~flux1"),
    ("transformer-peft", "single_transformer_blocks.28.attn.to_q 3072>3072",
     "flux1 chroma hunyuan-video bria-fibo ~flux1"),
    ("diffusers", "single_transformer_blocks.7.proj_mlp 3072>12288",
     "flux1 chroma hunyuan-video longcat-image bria-fibo ~flux1"),
    ("diffusers", "transformer_blocks.0..18.attn.to_q 3072>3072", "flux1 chroma hunyuan-video qwen-image ~flux1"),
    ("diffusers", "transformer_blocks.0..7.attn.to_q 3072>3072",
     "flux1 chroma hunyuan-video longcat-image bria-fibo qwen-image"),
    # Ten blocks are all that LongCat-Image has of this kind, but it has others beside them.
    ("diffusers", "transformer_blocks.0..9.attn.to_q 3072>3072", "flux1 chroma hunyuan-video longcat-image qwen-image"),
    ("diffusers",
     "transformer_blocks.0..18.attn.to_q 3072>3072,single_transformer_blocks.0..37.attn.to_q 3072>3072",
     "flux1 chroma ~flux1"),
    ("diffusers",
     "transformer_blocks.0.attn.to_q 3072>3072,transformer_blocks.0.ff_context.net.0.proj 3072>12288",
     "flux1 chroma hunyuan-video longcat-image bria-fibo ~flux1"),
    ("diffusers", "transformer_blocks.0..18.ff_context.net.0.proj 3072>12288", "flux1 chroma hunyuan-video ~flux1"),
    ("diffusers", "single_transformer_blocks.29.norm.linear 3072>9216", "flux1 hunyuan-video bria-fibo ~flux1"),
    ("diffusers", "single_transformer_blocks.0..37.norm.linear 3072>9216", "flux1 hunyuan-video bria-fibo ~flux1"),
    ("diffusers", "transformer_blocks.0.attn1.to_q 2048>2048,transformer_blocks.0.attn2.to_k 1024>2048",
     "anima cosmos"),
    ("diffusers", "transformer_blocks.0..19.attn1.to_q 2240>2240", "sana sana-video ~sana"),
    ("kohya", "transformer_blocks.0.ff.conv_inverted 2240>11200:1", "sana sana-video ~sana"),
    ("diffusers", "transformer_blocks.0.attn1.to_q 2048>2048", "ltx-video anima cosmos"),
    ("own", "blocks.0.cross_attn.k_proj 1024>2048", "anima cosmos"),
    ("diffusers", "transformer_blocks.0.attn1.to_q 3072>3072", "cogvideox mochi easyanimate"),
    ("diffusers", "transformer_blocks.45.attn1.to_q 3072>3072", "mochi easyanimate"),
    ("kohya", "transformer_blocks.0..29.attn1.to_q 2560>2560", "cogview4 cogview3"),
    ("diffusers", "transformer_blocks.0..7.attn.to_q 4096>4096", "flux2 qwen-image-2"),
    ("diffusers", "transformer_blocks.0.attn1.to_q 1152>1152,transformer_blocks.0.attn2.to_q 1152>1152", "pixart sana"),
    ("diffusers", "transformer_blocks.0.attn1.to_q 4096>4096", "cogview4 glm-image ltx-video ltx-video-2"),
    ("diffusers", "transformer_blocks.0..47.attn1.to_q 4096>4096", "ltx-video ltx-video-2"),
    ("ai-toolkit",
     "transformer_blocks.0.attn1.to_k 4096>4096,transformer_blocks.0.attn2.to_k 4096>4096",
     "ltx-video ltx-video-2 cosmos"),
    ("kohya", "noise_refiner.0.adaLN_modulation.0 256>15360", "z-image lumina2"),
    ("kohya", "layers.0.attention.qkv 3840>11520", "z-image ming-image ~z-image"),
    ("ai-toolkit", "layers.0.feed_forward.w1 3840>10240", "z-image ming-image ~z-image"),
    ("ai-toolkit", "layers.0.feed_forward.w2 10240>3840", "z-image ming-image ~z-image"),
    ("kohya", "noise_refiner.0.attention.qkv 3840>11520", "z-image ming-image ~z-image"),
    ("peft", "layers.0..29.attention.to_q 3840>3840", "z-image ming-image ~z-image"),
    # HiDream-O1 has the layers of Qwen3-VL 8B, in the names of other programs than trainers of image models.
    ("bare", "model.language_model.layers.0..35.self_attn.q_proj 4096>4096", " ~hidream-o1"),
    ("peft", "model.language_model.layers.0..35.mlp.gate_proj 4096>12288,model.visual.blocks.0.attn.qkv 1152>3456",
     " ~hidream-o1"),
)  # fmt: skip
# Layers that no network has, or too many have.
UNKNOWN: tuple[tuple[str, str], ...] = (
    ("kohya-te1", "text_model.encoder.layers.0.self_attn.q_proj 768>768"),
    ("encoder", "text_model.encoder.layers.0.self_attn.q_proj 768>768"),
    ("diffusers", "transformer_blocks.7.norm1.linear 3072>18432"),
    ("diffusers", "transformer_blocks.0.ff.net.0.proj 3072>12288"),
    ("diffusers", "transformer_blocks.0.ff.net.0.proj 2048>8192"),
    ("ai-toolkit", "layers.0.adaLN_modulation.0 256>15360"),
    ("ai-toolkit", "blocks.0.attn.q_proj 5120>5120"),
    ("diffusers", "transformer_blocks.0.attn1.to_q 1152>1152"),
    ("kohya", "layers.0.self_attention.to_q 999>999"),
    ("diffusers", "towers.0.attn.to_q 3072>3072"),
    ("kohya", "transformer_blocks.0.attn.to_q 999>999"),
    ("kohya", "layers.0.attention.qkv 999>999"),
    ("kohya", "blocks.0.attn.qkv 999>999"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "style", "layers"), [(name, *row) for name, rows in DECIDED.items() for row in rows]
)
def test_few_layers_are_enough_to_identify_a_network(architecture: str, style: str, layers: str) -> None:
    found = structure(lora(layers, style=style))
    assert (found.what, found.architectures, found.usual) == ("lora", (architecture,), architecture)


@pytest.mark.parametrize(("style", "layers", "left"), LEFT_OPEN)
def test_what_several_networks_have_is_left_open(style: str, layers: str, left: str) -> None:
    names, _, usual = left.partition(" ~")
    found = structure(lora(layers, style=style))
    assert (found.architectures, found.usual) == (tuple(names.split()), usual or None)


@pytest.mark.parametrize(("style", "layers"), UNKNOWN)
def test_what_no_rule_is_about_stays_unknown(style: str, layers: str) -> None:
    found = structure(lora(layers, style=style))
    assert (found.what, found.architectures, found.usual) == ("lora", (), None)


def test_every_network_has_a_name_for_people() -> None:
    assert {name for rule in RULES for name in rule.architectures} - ARCHITECTURES.keys() == set()


def test_every_rule_is_tried_here_in_kohyas_names_and_in_others() -> None:
    alone = {rule.architectures[0] for rule in RULES if len(rule.architectures) == 1}
    assert alone == set(DECIDED)
    styles = {name: {style.partition("-")[0] for style, _ in rows} for name, rows in DECIDED.items()}
    assert [name for name, used in styles.items() if len(used) < 2 or "kohya" not in used] == ["stable-cascade"]


def test_the_encoders_of_two_networks_beside_a_model_change_nothing() -> None:
    encoder = lora("text_model.encoder.layers.0.self_attn.q_proj 1280>1280", style="kohya-te2")
    model = lora("single_blocks.0..37.linear1 3072>21504,single_blocks.0..37.modulation.lin 3072>9216")
    assert structure({**encoder, **model}).usual == "flux1"


def test_all_layers_but_the_modulation_may_be_flux_or_chroma() -> None:
    double = "img_attn.qkv 3072>9216,double_blocks.0.txt_attn.qkv 3072>9216,double_blocks.0.img_mlp.0 3072>12288"
    rest = "double_blocks.0.txt_mlp.0 3072>12288,single_blocks.0.linear1 3072>21504,single_blocks.0.linear2 15360>3072"
    found = structure(lora(f"double_blocks.0.{double},{rest}"))
    assert (found.architectures, found.usual) == (("flux1", "chroma"), None)


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ("double_blocks.0.img_attn.qkv 6144>18432", "flux.2-dev"),
        ("double_blocks.0.img_attn.qkv 4096>12288", "flux.2-klein-9b"),
        ("double_blocks.0.img_attn.qkv 3072>9216,double_blocks.0.img_mlp.0 3072>18432", "flux.2-klein-4b"),
        ("joint_blocks.0.x_block.attn.qkv 2432>7296", "sd-3.5-large"),
        ("double_blocks.0.img_attn.qkv 3328>9984", "hunyuan-image-refiner"),
        ("joint_blocks.0.x_block.attn.qkv 1536>4608", None),
        ("blocks.0.self_attn.q 1536>1536", "wan-2.1-t2v-1.3b"),
        ("blocks.0.self_attn.q 3072>3072", "wan-2.2-ti2v-5b"),
        ("blocks.0.self_attn.q 5120>5120", None),
        ("double_blocks.0.img_attn.qkv 3072>9216", None),
    ],
)
def test_models_of_one_architecture_differ_in_width(layers: str, size: str | None) -> None:
    assert structure(lora(layers)).size == size
