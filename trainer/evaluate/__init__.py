"""Does a model draw what it is asked to? Prompts in, pictures out, read back or compared, scored.

suites/   one file for each suite: which prompts, and what counts
scores/   how readings and pictures are scored, in pure functions
reading/  readers, clean renderings, damaged glyphs
drawing/  the model that draws, and pictures made elsewhere
run.py    items -> pictures -> readings -> evaluation.json, table.md, evaluation.html
"""
