"""Decisions: plain functions over frozen values. No input or output, no clock, no log, no event loop."""
