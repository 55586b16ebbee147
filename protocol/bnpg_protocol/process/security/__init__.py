"""Who may connect, who may speak as whom, and where the keys are kept."""
