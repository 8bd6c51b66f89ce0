"""What do we remember? One database through SQLAlchemy Core."""
