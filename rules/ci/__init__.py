"""CI systems: what a push starts there, and what keeps it from starting. One file each, one row in the table."""
