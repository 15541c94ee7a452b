"""What a recording may choose of the place where it is replayed: the folder, folders of modules, the app's code.

A file may come from a stranger, and whatever it chooses here is code that runs. So it chooses among what is the user's
own: a recording of this machine in the user's store may name its folders; of any other, what lies in the current folder
counts. Looks at the file system and changes nothing.
"""

from __future__ import annotations

import os
import site
import socket
import stat
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from timetracer_otel.cassette.model import Process
from timetracer_otel.replay.children import LAUNCHER

PATHS_MAX: Final = 100
SHOWN_MAX: Final = 200
UNSAFE: Final = "another user may write there"
ELSEWHERE: Final = ("stdlib", "platstdlib", "purelib", "platlib")
"""Folders of the interpreter, by the names that `sysconfig` has for them: what is installed is nobody's project."""


@dataclass(frozen=True, slots=True)
class Place:
    folder: str
    """Where the app runs."""
    paths: tuple[str, ...] = ()
    """Recorded folders of modules that come behind the user's own."""
    code: tuple[str, ...] | None = None
    """Folders that an app which the recording names must lie in; None: any."""
    ignored: str = ""
    """What the recording asks for and does not get, in one line; empty when it gets all."""


def of_entry(process: Process, is_own: bool, base: Mapping[str, str], is_named: bool = False) -> Place:
    """Where the recorded entry runs. `is_own`: it lies in the user's store; `is_named`: the user names the app, which
    is then the one in the current folder."""
    here, foreign = os.getcwd(), _reason_foreign(process, is_own)
    cwd = "" if is_named else process.cwd
    refused = _refused(cwd, foreign, here) if cwd else None
    paths, left = _paths(process, foreign, here)
    wanted = [] if refused is None else [f"the folder {_shown(cwd)} ({refused})"]
    code = None if foreign is None else (here, *user_paths(base))
    return Place(cwd if cwd and refused is None else here, paths, code, _told([*wanted, *left], here))


def of_program(process: Process, is_own: bool) -> Place:
    """Where any program of the user's runs: in the current folder."""
    here = os.getcwd()
    paths, left = _paths(process, _reason_foreign(process, is_own), here)
    return Place(here, paths, ignored=_told(left, here))


def user_paths(base: Mapping[str, str]) -> list[str]:
    """What the user has set as PYTHONPATH."""
    return [path for path in base.get("PYTHONPATH", "").split(os.pathsep) if path and not path.endswith(LAUNCHER)]


def is_code_of(folders: Sequence[str], files: Iterable[str]) -> bool:
    """True when each file or folder lies in one of the folders, and none is installed."""
    installed, each = _installed(), list(files)
    return bool(each) and all(_is_in(file, folders) and not _is_in(file, installed) for file in each)


def _installed() -> list[str]:
    return [*(sysconfig.get_path(name) for name in ELSEWHERE), site.getusersitepackages()]


def _reason_foreign(process: Process, is_own: bool) -> str | None:
    if not is_own:
        return "it is not a trace of your store"
    return None if process.host == socket.gethostname() else "it was recorded on another machine"


def _refused(path: str, foreign: str | None, here: str) -> str | None:
    """Why the recorded folder is not used; None when it is, or is the current one."""
    if not _is_folder(path):
        return "no such folder here" if os.path.isabs(path) else "it is not absolute"
    if os.path.realpath(path) == os.path.realpath(here):
        return None
    return foreign or (None if _is_safe(path) else UNSAFE)


def _paths(process: Process, foreign: str | None, here: str) -> tuple[tuple[str, ...], list[str]]:
    """Recorded folders of modules that are here and count; and what is told of those that do not."""
    found = [path for path in dict.fromkeys(process.sys_path[:PATHS_MAX]) if _is_folder(path)]
    is_here = _is_folder(process.cwd) and os.path.realpath(process.cwd) == os.path.realpath(here)
    used = [path for path in found if (_is_safe(path) if foreign is None else is_here and _is_in(path, [here]))]
    known = {os.path.realpath(path) for path in (here, *used, *sys.path)}
    left = [path for path in found if os.path.realpath(path) not in known]
    return tuple(used), [f"modules in {_shown(os.pathsep.join(left))} ({foreign or UNSAFE})"] if left else []


def _is_folder(path: str) -> bool:
    """Absolute, here, and one folder to PYTHONPATH. A share of another machine is none: to look at it would log in
    there."""
    is_plain = os.path.isabs(path) and os.pathsep not in path and not path.startswith(("//", "\\\\"))
    return is_plain and os.path.isdir(path)


def _is_safe(path: str) -> bool:
    """True where nobody but this user and root puts files."""
    if os.name != "posix":
        return True
    try:
        found = os.stat(path)
    except OSError:
        return False
    return found.st_uid in (0, os.geteuid()) and not found.st_mode & stat.S_IWOTH


def _is_in(path: str, folders: Sequence[str]) -> bool:
    """True for the folder itself too. A root holds nothing: everything would lie in it."""
    path, found = os.path.realpath(path), [os.path.realpath(folder) for folder in folders]
    return any(path == each or (each != os.path.dirname(each) and path.startswith(each + os.sep)) for each in found)


def _told(wanted: Sequence[str], here: str) -> str:
    if not wanted:
        return ""
    advice = "what is yours you can choose: run it in that folder, with your PYTHONPATH"
    return f"the recording asks for {' and '.join(wanted)}; {here} is used instead; {advice}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…")
