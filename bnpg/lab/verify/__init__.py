"""The paper's claims as numbers, pictures and a verdict: `bnpg verify`."""
