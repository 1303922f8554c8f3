"""Forges: where repositories live. One file each, one row in the table."""
