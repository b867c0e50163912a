"""What step t trains on: a pure function of manifest, curriculum, seed and step.

NumPy and pyarrow only; nothing here imports torch.
"""
