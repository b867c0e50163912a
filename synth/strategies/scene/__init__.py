"""Text on photographs, and on media such as paper and signs that are set into them."""
