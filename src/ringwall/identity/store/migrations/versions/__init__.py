"""One module for each revision; one that was released never changes."""
