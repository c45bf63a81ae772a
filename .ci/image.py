"""The image without a container engine: each step of the Dockerfile in a clean root, then what compose promises of it.

    sudo python3 .ci/image.py PLACE [--wheels DIRECTORY] [--index URL]

makes in PLACE a minimal Debian (debootstrap), carries out the Dockerfile's instructions in it (RUN by chroot), and runs CMD as
its USER, without capabilities, on a root that cannot be written to, behind an init; then it looks: the HEALTHCHECK is well,
pages answer, the home is written, and what is stopped is ended by the check. Needs Linux, root, debootstrap, tini and
unshare. In place of the image's Python there is Debian's. `--index` stands for TORCH_INDEX, `--wheels` are found besides.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

CHECKOUT = Path(__file__).parents[1]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # this machine may have one of its own
PACKAGES = "ca-certificates,python3,python3-venv,tini"
UID, PROCESSES = 10001, 512  # as in the Dockerfile and docker-compose.yml; memory is for control groups
PAGE = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/').read().decode())"
START, HUNG = 120, 60  # seconds


@dataclass
class Stage:
    """A root that is being made, and what has been said of it."""

    root: Path
    environment: dict[str, str]
    directory: str = "/"
    said: dict[str, str] = field(default_factory=dict)  # USER, CMD, HEALTHCHECK, …

    def run(self, command: str) -> None:
        """A RUN step."""
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        inside = f"cd {shlex.quote(self.directory)} && {command}"
        subprocess.run(
            ["chroot", self.root, "/usr/bin/env", "-i", *settings, "/bin/sh", "-c", inside], check=True
        )

    def inside(self, path: str) -> Path:
        """Where a path of the image stands here."""
        return self.root / (Path(self.directory) / path).as_posix().lstrip("/")


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """(name, rest) of each instruction, comments left out and lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        name, _, rest = line.partition(" ")
        yield name, " ".join(rest.split())


def clean(place: Path, suite: str = "stable") -> Path:
    """A minimal Debian with a Python, made once."""
    root = place / "base"
    if not root.exists():
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, root], check=True)
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        shutil.copy(CERTIFICATES, root / CERTIFICATES.lstrip("/"))
    return root


def build(place: Path, given: dict[str, str], outside: dict[str, str]) -> Stage:
    """Carry the Dockerfile out; returns its last stage.

    Args:
        given: build arguments.
        outside: what every step finds in its environment besides.
    """
    made: dict[str, Stage] = {}
    stage = Stage(place, {})
    for name, rest in instructions((CHECKOUT / "Dockerfile").read_text()):
        print(f"== {name} {rest}", flush=True)
        rest = Template(rest).safe_substitute(stage.environment)
        if name == "FROM":
            alias = rest.partition(" AS ")[2] or "last"
            root = place / alias
            subprocess.run(["cp", "-a", "--reflink=auto", clean(place), root], check=True)
            stage = made[alias] = Stage(
                root, {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", **outside}
            )
        elif name == "ARG":
            key, _, value = rest.partition("=")
            stage.environment[key] = given.get(key, value)
        elif name == "ENV":
            stage.environment |= dict(part.split("=", 1) for part in shlex.split(rest))
        elif name == "WORKDIR":
            stage.directory = rest
            stage.inside(".").mkdir(parents=True, exist_ok=True)
        elif name == "RUN":
            stage.run(rest)
        elif name == "COPY":
            copy(stage, made, rest.split())
        else:
            stage.said[name] = rest
    return stage


def copy(stage: Stage, made: dict[str, Stage], words: list[str]) -> None:
    """A COPY step, out of the checkout or another stage."""
    origin = CHECKOUT
    if words[0].startswith("--from="):
        origin = made[words.pop(0).removeprefix("--from=")].root
    *sources, target = words
    for source in sources:
        found, to = origin / source.lstrip("/"), stage.inside(target)
        if found.is_dir():
            shutil.copytree(
                found, to, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy2(found, to / found.name if to.is_dir() else to)


# First in its namespaces: a root that cannot be written to, what is temporary, what lasts; then nobody, behind an init.
CONTAINER = """
ip link set lo up
mount --bind {root} {root} && mount -o remount,ro,bind {root}
mount -t tmpfs tmpfs {root}/tmp && mount --bind {home} {root}/data && mount -t proc proc {root}/proc
mount --bind /dev {root}/dev
exec chroot {root} setpriv --reuid {uid} --regid {uid} --clear-groups --no-new-privs --bounding-set -all --inh-caps -all \\
  prlimit --nproc={processes} env -i {settings} tini -- {command}
"""


class Container:
    """The image, run."""

    def __init__(self, stage: Stage, home: Path) -> None:
        self.root = stage.root
        self.settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in stage.environment.items())
        command = shlex.join(json.loads(stage.said["CMD"]))
        said = {
            "root": self.root,
            "home": home,
            "uid": UID,
            "processes": PROCESSES,
            "settings": self.settings,
        }
        script = CONTAINER.format(**said, command=command)
        unshared = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-ec", script]
        self.outer = subprocess.Popen(unshared)

    def init(self) -> int | None:
        """The container's first process, as it is called outside; None before it is there."""
        children = _children(self.outer.pid)
        return children[0] if children else None

    def execute(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        """A command beside it, as `docker exec` runs one."""
        enter = [
            "nsenter",
            "--target",
            str(self.init()),
            "--mount",
            "--net",
            "--pid",
            "chroot",
            str(self.root),
        ]
        drop = [
            "setpriv",
            f"--reuid={UID}",
            f"--regid={UID}",
            "--clear-groups",
            "--no-new-privs",
            "--bounding-set=-all",
        ]
        inside = f"cd /data && exec env -i {self.settings} {shlex.join(command)}"
        return subprocess.run(
            [*enter, *drop, "sh", "-c", inside], capture_output=True, text=True, check=False
        )


@contextmanager
def running(stage: Stage, home: Path) -> Iterator[Container]:
    """The container, until the block ends."""
    container = Container(stage, home)
    try:
        yield container
    finally:
        if (init := container.init()) is not None:  # with it goes all that it runs
            os.kill(init, signal.SIGKILL)
        container.outer.wait()


def until(what: str, seconds: float, holds: Callable[[], bool]) -> None:
    """Wait for it.

    Raises:
        SystemExit: it does not come.
    """
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            sys.exit(f"not so: {what}")
        time.sleep(1)
    print(f"so: {what}", flush=True)


def look(stage: Stage, home: Path) -> None:
    """What compose promises of the container."""
    check = json.loads(stage.said["HEALTHCHECK"].partition(" CMD ")[2])
    with running(stage, home) as container:
        until("the check is well", START, lambda: container.execute(check).returncode == 0)
        page = container.execute(["python", "-c", PAGE])
        until("the front page answers", 1, lambda: "<h1" in page.stdout)
        init = container.init()
        assert init is not None
        status = Path(f"/proc/{init}/status").read_text()
        until(
            "it runs as its user, with no capability",
            1,
            lambda: (
                f"Uid:\t{UID}\t" in status
                and "CapEff:\t0000000000000000" in status
                and "NoNewPrivs:\t1" in status
            ),
        )
        until(
            "its root cannot be written to",
            1,
            lambda: container.execute(["touch", "/opt/startrail/written"]).returncode != 0,
        )
        until("its home can, and holds the database", 1, lambda: (home / "startrail.db").stat().st_uid == UID)
        doctor = container.execute(["startrail", "doctor"])
        print(doctor.stdout or doctor.stderr)
        for process in _descendants(init):
            os.kill(process, signal.SIGSTOP)
        until(
            "a check finds that it hangs",
            HUNG,
            lambda: container.outer.poll() is not None or container.execute(check).returncode != 0,
        )
        until("so often that it is ended", HUNG, lambda: _ended(container, check))
    with running(stage, home) as container:
        until("started again, it is well", START, lambda: container.execute(check).returncode == 0)


def _ended(container: Container, check: list[str]) -> bool:
    if container.outer.poll() is None:
        container.execute(check)
    return container.outer.poll() is not None


def _children(process: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except FileNotFoundError:  # it has ended
        return []


def _descendants(process: int) -> list[int]:
    return [each for child in _children(process) for each in (child, *_descendants(child))]


def main() -> None:
    """Build, run, look."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("place", type=Path)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--index", default="https://download.pytorch.org/whl/cpu")
    parser.add_argument("--suite", default="stable", help="of Debian")
    asked = parser.parse_args()
    place = asked.place.resolve()
    place.mkdir(parents=True, exist_ok=True)
    clean(place, asked.suite)
    outside = {}
    if asked.wheels:
        shutil.copytree(asked.wheels, clean(place) / "wheels", dirs_exist_ok=True)
        outside["PIP_FIND_LINKS"] = "/wheels"
    stage = build(place, {"TORCH_INDEX": asked.index}, outside)
    home = place / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, UID, UID)
    look(stage, home)


if __name__ == "__main__":
    main()
