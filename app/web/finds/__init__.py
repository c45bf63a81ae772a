"""What is worth a look, gathered over a whole run: a page for each kind of find, each with its JSON twin."""
