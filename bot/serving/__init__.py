"""The server behind its doors: when which repository is looked at, what the pages show of it, and who is told."""
