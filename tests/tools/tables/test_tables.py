from tests.tools.tables.__main__ import memory_table, table, table_of_files, table_of_substitutions


def test_rows_name_bases_with_their_sizes_files_substitutions_and_how_they_run_on_each_card() -> None:
    assert "| Stable Diffusion 2.x | `sd-2.1` | 2.6 GB | `sd-2.1-768` |" in table()
    assert "| Mochi (video) | `mochi` | 31 GB |  |" in table()
    assert (
        "| `flux.1-dev` | 23.8 GB | Q8 12.7 GB, Q6 9.9 GB, Q5 8.3 GB, Q4 6.8 GB | city96/FLUX.1-dev-gguf |"
    ) in table_of_files()
    rows = table_of_substitutions()
    assert "| Zeta-Chroma | nothing | Zeta-Chroma works on pixels, and Z-Image Turbo on latents. |" in rows
    assert "| Wan Video | `wan-2.1-t2v-14b` | Wan Video is a family " in rows
    assert "| `sd-3.5-medium` | 16.3 GB | Q8, parts, 6.3 | parts, 9.9 | parts, 9.9 | whole, 18.0 " in memory_table()
