"""What a training is between two commands: checkpoints that any number of processes write and read."""
