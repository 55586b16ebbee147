"""Small networks in numpy: layers, their gradients by hand, and the rule that makes rows independent."""
