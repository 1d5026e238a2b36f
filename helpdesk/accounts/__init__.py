"""Who works here: agents, supervisors, admins; how they sign in."""
