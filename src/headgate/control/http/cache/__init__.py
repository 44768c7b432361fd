"""`/api/cache`: what memory holds and saves, how often it is wrong; entries looked through, removed, told wrong; warmed."""
