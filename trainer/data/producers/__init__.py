"""VAE and Qwen2.5-VL apart from the training: beforehand into shards (``encode``), or beside it in Ray actors (``live``)."""
