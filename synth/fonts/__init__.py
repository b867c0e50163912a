"""Which faces there are, what they cover, and whether they may be used."""
