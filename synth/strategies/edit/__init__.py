"""Edit pairs: a picture, one change to a text or to the ground, the picture after it."""
