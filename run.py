#!/usr/bin/env python3
"""Set up and start the desk with nothing but Python's standard library.

    python3 run.py demo       set up, then a whole desk on this machine
    python3 run.py install    set up only: `.venv` with everything, nothing started
    python3 run.py exec CMD…  set up, then run a command inside `.venv`

The set-up is skipped when nothing changed since the last one.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "set-up.stamp"
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)


def main(arguments):
    """Do what the first argument says; return the exit code."""
    command = arguments[0] if arguments else "demo"
    if command in ("-h", "--help") or command not in ("demo", "install", "exec"):
        print(__doc__.strip(), file=sys.stdout if command in ("-h", "--help") else sys.stderr)
        return 0 if command in ("-h", "--help") else 2
    if sys.version_info < OLDEST:
        return fail("Se necesita Python 3.11 o más nuevo. / Python 3.11 or newer is needed.")
    if not (set_up() if stamp() != read(STAMP) else True):
        return 1
    if command == "install":
        return 0
    return become([tool("helpdesk"), "demo", *arguments[1:]] if command == "demo" else inside(arguments[1:]))


def stamp():
    """What the set-up depends on, as one hash."""
    digest = hashlib.sha256(sys.version.encode() + str(ROOT).encode())
    for path in (ROOT / "pyproject.toml", LOCK):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def set_up():
    """Make `.venv` and install the locked versions: by uv when it can be had, else by pip."""
    try:
        import ensurepip  # noqa: F401 - Debian ships it apart
    except ImportError:
        fail("Falta el módulo venv. / The venv module is missing. Debian, Ubuntu: apt install python3-venv")
        return False
    print("Setting up .venv …", flush=True)
    if not (VENV / "bin" / "python").exists() and not run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)]
    ):
        return False
    if not (install_with_uv() or install_with_pip()):
        fail("The packages could not be installed; the lines above say why.")
        return False
    STAMP.write_text(stamp())
    return True


def install_with_uv():
    """Install by uv, a few seconds; False when uv cannot be had or fails."""
    python = tool("python")
    if not run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"]):
        return False
    uv = [tool("uv"), "pip", "install", "--quiet", "--python", python]
    return install_locked(uv)


def install_with_pip():
    """Install by pip, slower; the same locked versions."""
    print("uv cannot be used here; installing by pip, which takes some minutes …", flush=True)
    pip = [tool("python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return install_locked(pip)


def install_locked(installer):
    """Install exactly what the lock names, and the project itself. The lock is complete: nothing is resolved."""
    locked = ["--no-deps", "--require-hashes", "-r", str(LOCK)]
    return run([*installer, *locked]) and run([*installer, "--no-deps", "-e", str(ROOT)])


def run(command):
    """Run a command and say whether it succeeded."""
    return subprocess.run(command, cwd=ROOT).returncode == 0


def become(command):
    """Become a command, so that Ctrl-C and its exit code are its own."""
    os.chdir(ROOT)
    os.environ["PATH"] = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", "")])
    os.execv(command[0], command)


def inside(command):
    """A command with its program taken from `.venv`."""
    if not command:
        sys.exit(fail("exec needs a command."))
    return [tool(command[0]), *command[1:]]


def tool(name):
    """A program of `.venv`."""
    return str(VENV / "bin" / name)


def read(path):
    """A file's text, or nothing."""
    return path.read_text() if path.exists() else None


def fail(sentence):
    """Say what is wrong; the exit code for it."""
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
