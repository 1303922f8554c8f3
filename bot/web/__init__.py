"""The server: webhooks in, pages and metrics out (aiohttp)."""
