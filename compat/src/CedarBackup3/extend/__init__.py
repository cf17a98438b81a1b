"""Extensions of Cedar Backup's own."""
