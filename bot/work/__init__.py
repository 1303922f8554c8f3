"""Who runs a pass, and when: `local` in this process, `postgres` on any number of machines."""
