"""Pieces of page that Gradio lacks. Each file: a frozen model, how it is made from records, and its HTML."""
