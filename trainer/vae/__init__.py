"""Training of the VAE: its config, its pictures, its loop."""
