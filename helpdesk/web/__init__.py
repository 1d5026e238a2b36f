"""The pages: one blueprint for each place a person goes. Views fetch, call a rule, commit once, and answer."""
