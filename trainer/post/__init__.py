"""After pre-training: preferences and rewards.

prompts ──draw, read──> rewards ──> pairs.py: best and worst ──> dpo.py: preferred over rejected
"""
