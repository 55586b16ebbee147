"""One agent: it holds its own theta, draws its actions and applies update (3) by itself."""
