"""After pre-training: preferences and rewards.

prompts ──draw, read──> rewards ──> pairs.py: best and worst ──> dpo.py: the chosen picture before the rejected one
        ──rollout.py──> rewards ──> grpo.py: what is rewarded becomes more probable
"""
