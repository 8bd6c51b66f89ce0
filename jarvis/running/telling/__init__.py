"""What of the life of runs has to be told, and who is woken to tell it?"""
