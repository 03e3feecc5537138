"""Device mapper targets."""

from blockstack.kinds.model import Calls, Kind, Path

DM_KINDS = (
    Kind(
        "dm-linear", "stacked", "segments", (1, None), "dm linear target: maps ranges to devices",
        calls={
            "2.6.18": Calls(
                submit=Path((">dm_request", "__split_bio", "__map_bio"),
                            edges=(("__map_bio", "linear_map"),),
                            files=("drivers/md/dm.c", "drivers/md/dm-table.c",
                                   "drivers/md/dm-linear.c")),
                endio=Path(("clone_endio@drivers/md/dm.c", "dec_pending@drivers/md/dm.c"),
                           files=("drivers/md/dm.c",)),
                flush=Path(("dm_flush_all", "dm_table_flush_all"), files=("drivers/md/dm-table.c",)),
                unplug=Path(("dm_unplug_all", "dm_table_unplug_all"),
                            files=("drivers/md/dm.c", "drivers/md/dm-table.c"))),
            "6.1": Calls(
                submit=Path((">dm_submit_bio", "__map_bio", "dm_submit_bio_remap"),
                            edges=(("__map_bio", "linear_map"),), files=("drivers/md/dm.c",
                                                                         "drivers/md/dm-linear.c")),
                endio=Path(("clone_endio", "__dm_io_complete"), files=("drivers/md/dm.c",)),
                split="front"),
        }),
)
