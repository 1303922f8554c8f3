"""Registries: where images live. `oci` speaks the protocol; a file beside it only where a registry differs."""
