"""What keeps a site for long: its state checked, its home backed up and brought back."""
