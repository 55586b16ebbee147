"""What a team acts in: the seam that a world is behind, and the worlds there are."""
