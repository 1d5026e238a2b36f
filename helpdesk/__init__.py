"""The desk: mail in, tickets, answers, mail out. `docs/how-mail-becomes-a-ticket.md` draws the flow."""
