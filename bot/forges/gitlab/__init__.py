"""GitLab, on python-gitlab: with a project, group or personal access token."""
