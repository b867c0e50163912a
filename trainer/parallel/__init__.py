"""How a model is spread over ranks, and what of its forward pass is computed again."""
