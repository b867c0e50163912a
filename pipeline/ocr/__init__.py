"""The reader of text in pictures: lines with quads, their order, language and level.

The OCR annotators use it, and so does the evaluation of a trained model.
"""
