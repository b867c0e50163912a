"""How readings and pictures are scored: pure functions."""
