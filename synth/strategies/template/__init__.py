"""Designed pictures out of declarative files: nodes, slots, charts."""
