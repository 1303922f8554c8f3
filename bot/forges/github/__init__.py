"""GitHub, on gidgethub: as an App or with a token; github.com and GitHub Enterprise Server."""
