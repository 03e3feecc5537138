"""Sources of bios: what stands on top of a stack, one registry."""

from blockstack.kinds.filesystems.btrfs import BTRFS
from blockstack.kinds.filesystems.ext3 import EXT3
from blockstack.kinds.filesystems.ext4 import EXT4
from blockstack.kinds.filesystems.f2fs import F2FS
from blockstack.kinds.filesystems.fat import VFAT
from blockstack.kinds.filesystems.nfs import NFS
from blockstack.kinds.filesystems.nfsd import NFSD
from blockstack.kinds.filesystems.raw import RAW
from blockstack.kinds.filesystems.reiser4 import REISER4
from blockstack.kinds.filesystems.swap import SWAP
from blockstack.kinds.filesystems.xfs import XFS
from blockstack.kinds.model import Kind

SOURCE_KINDS: tuple[Kind, ...] = (
    RAW,
    EXT3,
    EXT4,
    XFS,
    BTRFS,
    F2FS,
    VFAT,
    REISER4,
    NFS,
    NFSD,
    SWAP,
)
