"""Training: the recipe (configuration), the Lightning module, the data module and the command that joins them."""
