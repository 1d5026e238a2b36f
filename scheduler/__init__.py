"""The clock: when to ask what is due. It never decides what is due; the database does."""
