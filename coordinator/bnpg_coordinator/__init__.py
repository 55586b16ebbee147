"""The coordinator: it simulates the environment, drives the rounds and keeps the run record."""
