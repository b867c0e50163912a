"""What is trained: a sample to condition, latents and target, one file a task."""
