"""Work that outlives the page: one table of jobs, numbered steps, one way to follow them."""
