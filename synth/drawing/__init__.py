"""Layers to pixels and exact regions: colors, styles, textures."""
