"""What the spawner and its supervisors are made of: cheap stdlib modules only, nothing of jarvis.

The spawner is started by file path and finds this package beside itself, so imports in here are relative.
"""
