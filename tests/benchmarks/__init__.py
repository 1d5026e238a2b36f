"""`make bench`: how fast and how large, as ratios within one run. Nothing here is a test; nothing is timed in one."""
