"""A grader that learns from outcomes how well each model answers which questions. Needs the extra `[embed]`."""
