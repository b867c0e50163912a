"""Decisions to a dataset: shards, their manifest, the data card, and putting it all in place."""
