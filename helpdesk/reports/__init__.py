"""Figures for supervisors. Each one can say which tickets it is made of."""
