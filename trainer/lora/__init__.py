"""Fine-tuning a frozen base by low-rank updates: which linears, the adapters, what they cost."""
