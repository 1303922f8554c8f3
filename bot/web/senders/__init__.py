"""Senders of webhooks, one file each: whether one is genuine, and what it hints at."""
