"""Formats: where images stand in files. One file each, one row in the table."""
