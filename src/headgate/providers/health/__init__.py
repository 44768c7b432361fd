"""What is known of an endpoint now: is it up, how fast, how busy, how much more may be asked of it. Moments are given."""
