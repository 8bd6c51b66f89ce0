"""How does a person hear of what happened? Policy is asked, messages wait in the outbox, channels take them."""
