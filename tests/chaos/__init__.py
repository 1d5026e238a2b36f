"""Kill -9, thousands of times, and then count: every mail on one ticket, every answer sent. See docs/chaos.md."""
