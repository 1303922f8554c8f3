"""Effects: what Tagboat reads from the world and does to it. Decisions stand in `rules`."""
