"""What a picture says: kinds of content, pages, contacts, rare characters, and the canvases for them."""
