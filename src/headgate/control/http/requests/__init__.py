"""`/api/requests`: what happened, newest first; one request with its attempts and, for whoever may, its content."""
