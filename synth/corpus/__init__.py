"""Where words come from: built-in lists, users' files, grammars, and what is taken out of them."""
