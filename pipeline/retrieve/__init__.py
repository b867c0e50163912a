"""Retrieval for weak categories: rows that words name or that look like given pictures, as S6 of the report fills them."""
