"""Working time in Lima: which instants count, and how much of them lies between two. No database, no Flask."""
