"""How agents learn: gradients, estimators from samples, step sizes, momentum."""
