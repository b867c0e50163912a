"""The files of a run: where each lies, how it appears whole or not at all, who holds the run.

The ground of everything else in ``pipeline``: nothing here knows what a score or a decision is.
"""
