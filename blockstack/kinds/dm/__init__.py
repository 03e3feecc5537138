"""Device mapper: one registry of targets."""

from blockstack.kinds.dm.caches import CACHED_KINDS
from blockstack.kinds.dm.crypt import CRYPT_KINDS
from blockstack.kinds.dm.delay import DELAY
from blockstack.kinds.dm.integrity import INTEGRITY
from blockstack.kinds.dm.mirror import MIRROR
from blockstack.kinds.dm.multipath import MULTIPATH_KINDS
from blockstack.kinds.dm.raid import DM_RAID_KINDS
from blockstack.kinds.dm.remap import REMAP_KINDS
from blockstack.kinds.dm.snapshot import SNAPSHOT_KINDS
from blockstack.kinds.dm.testing import TESTING_KINDS
from blockstack.kinds.dm.thin import THIN_KINDS
from blockstack.kinds.dm.verity import VERITY
from blockstack.kinds.model import Kind

DM_KINDS: tuple[Kind, ...] = (
    *REMAP_KINDS,
    MIRROR,
    *CRYPT_KINDS,
    *SNAPSHOT_KINDS,
    DELAY,
    *THIN_KINDS,
    INTEGRITY,
    *MULTIPATH_KINDS,
    *CACHED_KINDS,
    *DM_RAID_KINDS,
    VERITY,
    *TESTING_KINDS,
)
