"""What a run says: to a person, as JSON, as progress."""
