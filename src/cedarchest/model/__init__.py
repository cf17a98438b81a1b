"""What is known about days, discs, sessions and images, without doing anything."""
