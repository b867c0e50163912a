"""What is in a picture, by a reader, and what that reader can be trusted with."""
