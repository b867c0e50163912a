"""Rows of a dataset to tensors: pictures to their bucket, latents, conditions."""
