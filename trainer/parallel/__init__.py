"""One model on any number of processes: who they are, how weights are divided, how gradients come together."""
