"""What is said about a picture: captions and edit instructions, in Chinese and English."""
