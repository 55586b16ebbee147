"""What the paper proves, as numbers: constants, bounds, rates."""
