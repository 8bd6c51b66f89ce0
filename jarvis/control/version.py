"""Which Jarvis is this? Written down here because asking the installed package costs a command its quick start."""

VERSION = "0.1.0"
