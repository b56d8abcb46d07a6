"""hub-ui as a Space of Hugging Face: the files of its repo, and how they get there."""
