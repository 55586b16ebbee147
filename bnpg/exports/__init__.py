"""A run's record in formats that other tools read: CSV and TensorBoard event files."""
