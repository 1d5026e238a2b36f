"""Bytes ⇄ meaning: e-mail read into plain data and written back. No tickets, no database, no pages."""
