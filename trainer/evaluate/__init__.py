"""Does the model write what it is asked to? Prompts in, pictures out, read back by OCR.

suites.py   recipe -> texts, prompts, sizes, clean renderings
score.py    what was read against what was asked: pure
sheet.py    samples with what was read, as one picture
run.py      samples, reads, scores, writes evaluation.json
"""
