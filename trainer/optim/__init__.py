"""What moves the weights: optimizers, the learning rate, the averaged weights."""
