"""What does this machine say about itself? Looks at it, and captures of moments that were wrong."""
