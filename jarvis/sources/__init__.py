"""What do outside services know? Wearables, other people's databases, files about the state of a life."""
