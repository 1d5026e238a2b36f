"""The words we send: answers, notices, how they are filled in, rendered and ranked.

Knows the lines; knows no database and no Flask. Pages that are looked at live in `helpdesk/pages/`.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
ANSWERS = FOLDER / "answers"
NOTICES = FOLDER / "notices"
LETTERS = FOLDER / "letters"
