"""What the pages show, as frozen models made from records. Their HTML is in the templates of hub_ui/web."""
