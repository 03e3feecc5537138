"""What a kind does that takes time and is not in the model: said at every result that has it."""

from collections.abc import Iterable, Iterator, Mapping

NOT_COUNTED: Mapping[str, str] = {
    "bcache": "its journal, and writing back of dirty blocks: the cache is taken to have room",
    "btrfs": "trees, checksums and their commits",
    "dm-cache": "its metadata, and writing back of dirty blocks: the cache is taken to have room",
    "dm-integrity": "tags, checksums, and the bitmap of that mode",
    "dm-mirror": "its log, and that all reads go to the default mirror",
    "dm-raid": "its metadata and bitmap",
    "dm-snapshot": "its exceptions on disk",
    "dm-snapshot-origin": "its exceptions on disk",
    "dm-thin": "metadata: mappings and commits",
    "dm-verity": "reads of the hash tree, and hashing",
    "dm-writecache": "its metadata, and writing back: the cache is taken to have room",
    "drbd": "receiving on the peer, resync",
    "ext3": "its journal but for fsync",
    "ext4": "its journal but for fsync",
    "f2fs": "its nodes, segments and cleaning",
    "iscsi": "a target's layers above its disk",
    "loop": "the page cache of its file, and the file system's own blocks",
    "md-raid1": "the bitmap on SSDs, whose bits are taken to be hot",
    "md-raid10": "the bitmap on SSDs, whose bits are taken to be hot",
    "md-raid4": "the bitmap on SSDs, a journal device",
    "md-raid5": "the bitmap on SSDs, a journal device",
    "md-raid6": "the bitmap on SSDs, a journal device",
    "nbd": "a server's layers above its disk",
    "nfs": "the server's CPU",
    "nvme": "garbage collection beyond `program`",
    "nvme-tcp": "a target's layers above its disk",
    "reiser4": "its trees and atoms",
    "scsi": "a disk's write cache, an SSD's garbage collection beyond `program`",
    "virtio-blk": "what the host does beyond one I/O thread and its disk",
    "xfs": "its log but for fsync",
}


def not_counted(kinds: Iterable[str]) -> Iterator[str]:
    """A line for each kind that does more than the model has."""
    for kind in dict.fromkeys(kinds):
        if kind in NOT_COUNTED:
            yield f"not counted: {kind}: {NOT_COUNTED[kind]}"
