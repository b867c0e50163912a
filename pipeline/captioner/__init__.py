"""Captions and metadata by a vision-language model: the prompt, the models that answer it, what is made of answers."""
