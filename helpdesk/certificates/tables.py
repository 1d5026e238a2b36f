"""Every table there is: those of the desk, and those of the register of contracts."""

from helpdesk.certificates import records
from helpdesk.desk.tables import metadata

__all__ = ["metadata", "records"]
