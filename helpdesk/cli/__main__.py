"""`python -m helpdesk.cli`: the same commands as `helpdesk`, for processes that start others."""

from helpdesk.cli import main

main()
