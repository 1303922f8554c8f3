"""Looking: a repository on its forge, or a checkout on this machine, becomes occurrences, and each occurrence its choice."""
