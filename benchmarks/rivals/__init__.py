"""What a user would pick instead, each as small as it can honestly be."""
