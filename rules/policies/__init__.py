"""Policies: which tag is next. One file each, one row in the table."""
