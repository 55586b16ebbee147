"""Many runs at once: which there are, what each came to, and what tells them apart."""
