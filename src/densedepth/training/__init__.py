"""Training: the recipe, the order of frames, the loop and its checkpoints, and the command that joins them."""
