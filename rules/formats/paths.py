"""What a path tells of a file's kind."""

from __future__ import annotations


def is_yaml(path: str) -> bool:
    """Whether a file is read as YAML; kustomize's own file may be called just `Kustomization`."""
    return path.endswith((".yaml", ".yml")) or path.rpartition("/")[2] == "Kustomization"


def is_json(path: str) -> bool:
    """Whether a file is JSON by its name; YAML's reader reads that as well."""
    return path.endswith(".json")


def is_hidden(path: str) -> bool:
    """Whether the file or a folder above it begins with a dot, as the files of forges and tools do."""
    return path.startswith(".") or "/." in path
