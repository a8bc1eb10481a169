"""Named strategies, a file for each family."""
