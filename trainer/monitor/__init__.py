"""What a training says of itself: metrics and sample pictures."""
