"""Where the pictures of a suite come from: a model, or a folder."""
