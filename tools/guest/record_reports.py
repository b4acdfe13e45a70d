#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Record what LVM and device-mapper report of volumes of many kinds and states, for unit tests.

``run.py --release RELEASE -- python tools/guest/record_reports.py DIRECTORY``: in a guest, as root.
Writes, to a directory of DIRECTORY called after LVM's version, ``version``, ``lvmconfig``, and for
each state ``STATE.lvs.json``, ``STATE.vgs.json``, ``STATE.status`` and ``STATE.table`` (dmsetup's).
The reports have hidden volumes, too, and are in the form for which the engine asks.
"""

import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

GROUP = "vg"
_CONFIGURATION = """\
devices { use_devicesfile=0 filter=["a|^/dev/loop[1-9]|", "r|.*|"] }
activation { udev_sync=0 udev_rules=0 monitoring=0 thin_pool_autoextend_threshold=100 }
backup { backup=0 archive=0 }
"""
_FORM = ("--reportformat", "json", "--units", "b", "--nosuffix", "--binary")
_LOOPS = 3
# What the engine asks for and might come to: LVM has two hundred more.
_VOLUME_FIELDS = (
    *("lv_name", "lv_size", "lv_tags", "segtype", "origin", "origin_size", "pool_lv", "thin_id"),
    *("lv_dm_path", "lv_kernel_major", "lv_kernel_minor", "lv_active", "lv_attr", "lv_suspended"),
    *("lv_layout", "lv_role", "lv_modules", "lv_merging", "lv_converting", "lv_allocation_locked"),
    *("lv_snapshot_invalid", "lv_health_status", "data_percent", "metadata_percent", "zero"),
    *("snap_percent", "convert_lv", "data_lv", "metadata_lv", "stripes", "vg_partial"),
    *("vg_exported", "vg_shared", "vg_clustered", "vg_tags", "lv_uuid"),
)
_GROUP_FIELDS = (
    *("vg_name", "vg_attr", "vg_size", "vg_free", "vg_extent_size", "vg_extendable", "vg_tags"),
    *("vg_partial", "vg_exported", "vg_shared", "vg_clustered", "vg_systemid", "pv_count"),
    "vg_uuid",
)


def run(*command: str, check: bool = True) -> str:
    """Run a command; what it printed.

    :raises RuntimeError: it failed; with its complaint.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def thin() -> None:
    """A pool, a volume, its snapshot, which is not active, and an external origin's clone."""
    run("lvcreate", "--type", "thin-pool", "-L", "40M", "-n", "pool", GROUP)
    run("lvcreate", "-V", "16M", "-T", f"{GROUP}/pool", "-n", "thin", "--addtag", "one")
    run("lvcreate", "-s", f"{GROUP}/thin", "-n", "copy", "--addtag", "a=b", "--addtag", "c")
    run("lvcreate", "-L", "16M", "-n", "external", "-an", "-pr", GROUP, "-Zn")
    run("lvcreate", "-s", "--thinpool", f"{GROUP}/pool", f"{GROUP}/external", "-n", "clone")


def thin_inactive() -> None:
    """The same with nothing active."""
    run("vgchange", "-an", GROUP)


def thin_full() -> None:
    """A pool out of data space that fails writes."""
    run("vgchange", "-ay", GROUP)
    run("lvchange", "--errorwhenfull", "y", f"{GROUP}/pool")
    run("lvcreate", "-V", "64M", "-T", f"{GROUP}/pool", "-n", "large")
    _fill("large", 64)


def thin_merging() -> None:
    """A snapshot that is to be merged when its origin is closed."""
    run("lvextend", "-L", "200M", f"{GROUP}/pool")
    with open(f"/dev/{GROUP}/thin", "rb"):
        run("lvconvert", "--merge", f"{GROUP}/copy")


def thick() -> None:
    """Origins with a snapshot each, one written to, and a volume without."""
    for name in ("origin", "other", "plain"):
        run("lvcreate", "-y", "-L", "16M", "-n", name, GROUP)
    for name in ("origin", "other"):
        run("lvcreate", "-s", "-L", "8M", "-n", f"{name}-snapshot", f"{GROUP}/{name}")
    _fill("other", 4)


def thick_overflowed() -> None:
    """One of the snapshots has lost its content."""
    _fill("origin", 16)


def thick_inactive() -> None:
    """The same with nothing active."""
    run("vgchange", "-an", GROUP)


def thick_merging() -> None:
    """A snapshot that is to be merged when its origin is closed."""
    run("vgchange", "-ay", GROUP)
    with open(f"/dev/{GROUP}/other", "rb"):
        run("lvconvert", "--merge", f"{GROUP}/other-snapshot")


def cache() -> None:
    """Volumes cached by a cache pool and by a volume."""
    for name in ("pooled", "cached"):
        run("lvcreate", "-y", "-L", "16M", "-n", name, GROUP)
        run("lvcreate", "-y", "-L", "12M", "-n", f"{name}-store", GROUP)
    run("lvconvert", "-y", "--type", "cache-pool", f"{GROUP}/pooled-store")
    run(*_convert("cache", "--cachepool", "pooled"))
    run(*_convert("cache", "--cachevol", "cached"))


def writecache() -> None:
    """A volume whose writes are cached."""
    run("lvcreate", "-y", "-L", "16M", "-n", "written", GROUP)
    run("lvcreate", "-y", "-an", "-L", "12M", "-n", "written-store", GROUP)
    run("lvchange", "-an", f"{GROUP}/written")
    run(*_convert("writecache", "--cachevol", "written"))
    run("lvchange", "-ay", f"{GROUP}/written")


def raid() -> None:
    """A mirrored volume, one over two devices, and an old mirror."""
    run("lvcreate", "-y", "--type", "raid1", "-m", "1", "-L", "16M", "-n", "raid1", GROUP)
    run("lvcreate", "-y", "--type", "striped", "-i", "2", "-L", "16M", "-n", "striped", GROUP)
    run("lvcreate", "-y", "--type", "mirror", "-m", "1", "-L", "16M", "-n", "mirror", GROUP)


def raid_partial() -> None:
    """One of the mirrored volume's devices is gone."""
    run("vgchange", "-an", GROUP)
    devices = run("losetup", "--noheadings", "--output", "NAME,BACK-FILE").splitlines()
    (lost,) = [line.split()[0] for line in devices if line.endswith("pv2")]
    run("losetup", "--detach", lost)
    run("vgchange", "-ay", "--activationmode", "degraded", GROUP, check=False)


# Each list is one volume group's life.
_LIVES: tuple[tuple[Callable[[], None], ...], ...] = (
    (thin, thin_inactive, thin_full, thin_merging),
    (thick, thick_overflowed, thick_inactive, thick_merging),
    (cache,),
    (writecache,),
    (raid, raid_partial),
)


def _convert(kind: str, option: str, name: str) -> list[str]:
    store = f"{GROUP}/{name}-store"
    return ["lvconvert", "-y", "--type", kind, option, store, f"{GROUP}/{name}"]


def _fill(name: str, size: int) -> None:
    """Write so many MiB to a volume, as far as there is room."""
    with contextlib.suppress(OSError), open(f"/dev/{GROUP}/{name}", "r+b", buffering=0) as device:
        for _ in range(size):
            device.write(os.urandom(1 << 20))
            os.fsync(device.fileno())


@contextlib.contextmanager
def _volume_group(directory: pathlib.Path) -> Iterator[None]:
    loops = []
    for number in range(_LOOPS):
        image = directory / f"pv{number}"
        with open(image, "wb") as file:
            file.truncate(300 << 20)
        loops.append(run("losetup", "--find", "--show", str(image)).strip())
    run("vgcreate", "--addtag", "of-group", GROUP, *loops)
    try:
        yield
    finally:
        run("vgchange", "-an", GROUP, check=False)
        run("vgremove", "-ff", "-y", GROUP, check=False)
        for loop in loops:
            run("losetup", "--detach", loop, check=False)


def record(directory: pathlib.Path, state: str) -> None:
    """Write what there is now."""
    outputs = {
        "lvs.json": run("lvs", "--all", *_FORM, "-o", ",".join(_VOLUME_FIELDS), GROUP),
        "vgs.json": run("vgs", *_FORM, "-o", ",".join(_GROUP_FIELDS), GROUP),
        "status": run("dmsetup", "status"),
        "table": run("dmsetup", "table"),
    }
    for kind, output in outputs.items():
        (directory / f"{state}.{kind}").write_text(output)


def main() -> int:
    """Record all; a state that this kernel or LVM can't make is named, and recorded as it is."""
    version = run("lvm", "version")
    number = re.search(r"LVM version: +([0-9.]+)", version)
    assert number
    directory = pathlib.Path(sys.argv[1]) / number[1]
    directory.mkdir(parents=True, exist_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        (work / "lvm.conf").write_text(_CONFIGURATION)
        os.environ |= {"LVM_SYSTEM_DIR": name, "LVM_SUPPRESS_FD_WARNINGS": "1", "LC_ALL": "C"}
        (directory / "version").write_text(f"{version}{os.uname().release}\n")
        (directory / "lvmconfig").write_text(run("lvmconfig", "--type", "full"))
        for life in _LIVES:
            with _volume_group(work):
                for make in life:
                    state = make.__name__.replace("_", "-")
                    try:
                        make()
                    except (OSError, RuntimeError) as error:
                        print(f"{state}: {error}", flush=True)
                        failed += 1
                    record(directory, state)
                    print(state, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
