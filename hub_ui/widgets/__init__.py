"""Components that Gradio lacks. Each file has a frozen model, its construction from records, and its HTML."""
