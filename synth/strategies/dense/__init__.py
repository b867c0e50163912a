"""Dense pages: a document in columns, as large as fits, its notes at the foot."""
