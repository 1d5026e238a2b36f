"""Tickets and everything that happens to them. Knows the database; knows no Flask and no scikit-learn."""
