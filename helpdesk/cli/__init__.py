"""The command line, `helpdesk`: one tree of commands (design of names and keys: `docs/command-line.md`).

Exit codes: 0 done, 1 the answer is no, 2 wrong use or wrong settings. Errors are one sentence on stderr.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from psycopg.errors import UndefinedColumn, UndefinedTable
from sqlalchemy.exc import OperationalError, ProgrammingError

from helpdesk.cli.accounts import user
from helpdesk.cli.answers import answers
from helpdesk.cli.certificate import certificate
from helpdesk.cli.certificate_import import certificate_import
from helpdesk.cli.database import db
from helpdesk.cli.mail import mail
from helpdesk.cli.mailbox import mailbox
from helpdesk.cli.model import model
from helpdesk.cli.processes import demo, web, worker
from helpdesk.cli.sending import resume_sending
from helpdesk.cli.sorting import classify, suggest
from helpdesk.errors import HelpdeskError

SCHEMA_ERRORS = (UndefinedTable, UndefinedColumn)


class Tree(click.Group):
    """The command group that turns our errors into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours ends it with its sentence."""
        try:
            return super().invoke(ctx)
        except HelpdeskError as error:
            click.echo(str(error), err=True)
        except OperationalError:
            click.echo("DATABASE_URL: the database does not answer.", err=True)
        except ProgrammingError as error:
            if not isinstance(error.orig, SCHEMA_ERRORS):
                raise
            click.echo("DATABASE_URL: the schema is not up to date; run `helpdesk db upgrade`.", err=True)
        sys.exit(2)


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="infomigra-helpdesk")
def main() -> None:
    """E-mail helpdesk of Perú Infomigra.

    \b
    Example:
      helpdesk demo
    """


mail.add_command(resume_sending)
certificate.add_command(certificate_import)
for command in (demo, web, worker, db, user, mailbox, mail, model, answers, certificate, classify, suggest):
    main.add_command(command)
