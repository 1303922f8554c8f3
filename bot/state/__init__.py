"""What is remembered between passes: the ledger, and what only a server keeps beside it. SQLite or PostgreSQL, by one code."""
