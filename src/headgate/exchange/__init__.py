"""The words stages share: Exchange (all that is known of one request so far), Reply and Frame, Stage and Proceed."""
