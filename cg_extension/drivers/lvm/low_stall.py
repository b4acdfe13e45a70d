# SPDX-License-Identifier: Apache-2.0
"""The LVM_SYSTEM_DIR of the engine's commands: the machine's own, and settings that spare time.

Before it suspends a device, LVM locks its memory and raises its priority, in case the device holds
LVM's own program, libraries or swap. It reads all those pages in while I/O is held, which makes up
most of the stall of an ``lvcreate -s``. ``preflight`` refuses such devices as members, so the
engine's commands can do without. See lvm.conf(5), section ``activation``.

With few disks LVM reads them one after another: to end asynchronous I/O (``io_destroy``), of which
each process makes a context, the kernel waits for a grace period of RCU, which is most of what an
LVM command takes on a machine with several processors.

The settings also give reports one fixed form, whatever the administrator's ``lvm.conf`` says.

They must be in a file that ``lvm`` reads when it starts: given by ``--config`` to each command of
LVM's shell they have little effect, and make it read its whole configuration again each time.
"""

import contextlib
import os
import pathlib

from cg_extension.conf.errors import naming_file

# This package's own directory, for root only.
OURS = pathlib.Path("/run/cg_extension-lvm")
_DEFAULT = "/etc/lvm"
_LOCAL = "lvmlocal.conf"  # LVM reads it after lvm.conf, and its settings win.
# For the section ``activation``.
ACTIVATION = """\
reserved_memory=0 reserved_stack=0 process_priority=0
mlock_filter=["lib","bin","heap","stack","usr","anon","vvar","vdso"]
"""
# The most disks that are read one after another; a slow one may take some milliseconds each time.
_FEW_DISKS = 8
_DISKS = pathlib.Path("/sys/block")
_ONE_AFTER_ANOTHER = "global { use_aio=0 }\n"
_SETTINGS = """
# Added by cg_extension to what stands in {path}.
activation {{
{activation}}}
report {{ compact_output=0 compact_output_cols="" list_item_separator="," mark_hidden_devices=1 }}
# Else LVM 2.03.31 writes its complaints into the JSON report, and nothing to standard error; and
# names of commands stand before each line of a report. (A prefix= in lvm.conf wins over one here.)
log {{ report_command_log=0 command_names=0 }}
{disks}"""


def system_dir(path: str | None) -> str:
    """A directory with links to all files of the directory ``path``, and our settings added.

    Root makes it or brings it up to date. ``path`` None stands for LVM's own directory: that of the
    environment variable, or the default.
    """
    theirs = pathlib.Path(path or os.environ.get("LVM_SYSTEM_DIR") or _DEFAULT).absolute()
    ours = OURS / str(theirs).replace("%", "%25").replace("/", "%2F")
    # One by one: mkdir's ``parents`` would make the first with the mode that the umask leaves.
    OURS.mkdir(0o700, exist_ok=True)
    ours.mkdir(0o700, exist_ok=True)
    for link in ours.iterdir():
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)
    local = ""
    for entry in theirs.iterdir() if theirs.is_dir() else ():
        if entry.name == _LOCAL:
            local = entry.read_text(errors="surrogateescape")
            continue
        with contextlib.suppress(FileExistsError):
            (ours / entry.name).symlink_to(entry)
    disks = _ONE_AFTER_ANOTHER if _has_few_disks() else ""
    added = _SETTINGS.format(path=theirs / _LOCAL, activation=ACTIVATION, disks=disks)
    write(ours / _LOCAL, local + added)
    return str(ours)


def _has_few_disks() -> bool:
    """Whether there are few block devices beside those that the kernel makes of others.

    Device-mapper's are told by their names: there may be thousands.
    """
    names = [name for name in os.listdir(_DISKS) if not name.startswith("dm-")]
    paths = [os.path.realpath(_DISKS / name) for name in names]
    return sum("/devices/virtual/" not in path for path in paths) <= _FEW_DISKS


def write(path: pathlib.Path, text: str) -> None:
    """Replace a file in one step, as others may be reading it; leave it if nothing changes."""
    content = text.encode(errors="surrogateescape")
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    new = path.with_suffix(f".{os.getpid()}-{id(content):x}")
    with naming_file(new):
        new.write_bytes(content)
    new.replace(path)
