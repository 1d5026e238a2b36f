"""Tests: `core/` the rules without Flask, `web/` the pages, `edges/` real servers, processes and a browser."""
