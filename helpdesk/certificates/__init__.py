"""Contract filings and the Constancia de Trabajador Migrante Andino: what is asked, the rules, issue, verification."""
