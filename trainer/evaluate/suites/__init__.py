"""The suites: each says what is asked for and what counts. `registry.py` knows them by name."""
