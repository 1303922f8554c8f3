"""Plain git: requests are branches, with their records under `refs/tagboat/`. No forge's API is needed."""
