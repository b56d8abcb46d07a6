"""The pages of hub-ui and the endpoints for programs, served by one gradio.Server."""
