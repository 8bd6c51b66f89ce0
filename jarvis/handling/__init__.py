"""From the name of a handler or a command to a finished run."""
