"""The person's side of Bayesian-network policy gradient: command line, experiments, launchers, reports."""

__version__ = "0.1.0"
