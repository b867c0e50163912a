"""Text to glyphs at positions: shaping, line breaks, columns, arcs, layout."""
