"""fio's options by what becomes of them: followed, without influence here, or refused by name.

The names are those of fio 3.3x's options.c and HOWTO. An option in none of the tables is unknown.
"""

from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    "readwrite": "rw", "blocksize": "bs", "blocksize_range": "bsrange",
    "fileoffset": "offset", "wait_for_previous": "stonewall",
}
FOLLOWED = frozenset({
    "rw", "bs", "bsrange", "bssplit", "rwmixread", "rwmixwrite", "direct", "buffered", "iodepth",
    "numjobs", "rate_iops", "rate_process", "size", "offset", "random_distribution", "thinktime",
    "fsync", "fdatasync", "randseed", "ioengine", "stonewall", "wait_for", "new_group",
    "group_reporting"})

SYNC_ENGINES = frozenset({"sync", "psync", "vsync", "pvsync", "pvsync2"})
QUEUED_ENGINES = frozenset({"libaio", "io_uring", "posixaio"})

_LENGTH = "--bios says how many are simulated"
_REPORT = "a report"
_ROOT = "bios go to the roots of the stack"
_HOST = "the host's side"
_DATA = "contents"
_FILES = "files are made before"

NO_INFLUENCE: Mapping[str, str] = {
    **dict.fromkeys(("runtime", "timeout", "time_based", "ramp_time", "number_ios", "io_size",
                     "io_limit", "loops", "startdelay", "fill_device", "fill_fs", "steadystate",
                     "steadystate_duration", "steadystate_ramp_time", "ss", "ss_dur", "ss_ramp",
                     "steadystate_check_interval", "ss_interval", "exitall", "exitall_on_error"),
                    _LENGTH),
    "io_submit_mode": "rate_iops never waits",
    **dict.fromkeys(("name", "description", "write_bw_log",
                     "write_lat_log", "write_iops_log", "write_hist_log", "log_avg_msec",
                     "log_hist_msec", "log_max_value", "log_offset", "log_unix_epoch",
                     "per_job_logs", "percentile_list", "clat_percentiles", "lat_percentiles",
                     "slat_percentiles", "significant_figures", "disable_lat", "disable_clat",
                     "disable_slat", "disable_bw", "disable_bw_measurement", "bwavgtime",
                     "iopsavgtime", "unified_rw_reporting", "stats", "eta", "gtod_reduce",
                     "unlink", "write_iolog", "disk_util", "clocksource", "gtod_cpu",
                     "json_path"), _REPORT),
    **dict.fromkeys(("filename", "directory", "filename_format", "opendir", "allow_mounted_write"),
                    _ROOT),
    **dict.fromkeys(("thread", "cpus_allowed", "cpus_allowed_policy", "cpumask", "numa_cpu_nodes",
                     "numa_mem_policy", "nice", "prio", "prioclass", "mem", "iomem",
                     "hugepage-size", "lockmem", "uid", "gid", "userspace_reap",
                     "registerfiles", "fixedbufs",
                     "sqthread_poll", "sqthread_poll_cpu", "nonvectored", "hipri", "invalidate",
                     "fadvise_hint", "ioscheduler", "exec_prerun", "exec_postrun", "create_only",
                     "max_latency", "continue_on_error", "error_dump"), _HOST),
    **dict.fromkeys(("refill_buffers", "scramble_buffers", "zero_buffers", "buffer_pattern",
                     "buffer_compress_percentage", "buffer_compress_chunk", "dedupe_percentage"),
                    _DATA),
    **dict.fromkeys(("create_serialize", "create_fsync", "create_on_open", "fallocate",
                     "overwrite", "end_fsync", "fsync_on_close", "file_service_type", "openfiles",
                     "pre_read", "filesize"), _FILES),
    **dict.fromkeys(("norandommap", "randrepeat", "allrandrepeat", "random_generator",
                     "softrandommap"), "places are drawn anew for every bio"),
}

_PACE = "bios come closed, or at rate_iops"
NOT_FOLLOWED: Mapping[str, str] = {
    **dict.fromkeys(("rate", "rate_min", "rate_iops_min", "rate_cycle", "rate_ignore_thinktime",
                     "latency_target", "latency_window", "latency_percentile", "latency_run",
                     "thinktime_spin", "thinktime_blocks",
                     "thinktime_blocks_type", "thinktime_iotime", "iodepth_batch",
                     "iodepth_batch_submit", "iodepth_batch_complete", "iodepth_batch_complete_min",
                     "iodepth_batch_complete_max", "iodepth_low", "serialize_overlap", "flow",
                     "flow_id", "flow_sleep", "flow_watermark"), _PACE),
    **dict.fromkeys(("zonemode", "zonesize", "zonerange", "zoneskip", "zonecapacity",
                     "max_open_zones", "job_max_open_zones", "read_beyond_wp",
                     "zone_reset_threshold", "zone_reset_frequency"), "zones"),
    **dict.fromkeys(("verify", "do_verify", "verify_pattern", "verify_interval", "verify_backlog",
                     "verify_async", "verify_fatal", "verify_dump", "verify_offset",
                     "verify_only", "experimental_verify"), "reads that check what was written"),
    **dict.fromkeys(("percentage_random", "offset_increment", "offset_align", "blockalign", "ba",
                     "bs_unaligned", "bs_is_seq_rand", "rw_sequencer", "size_percent", "nrfiles",
                     "file_append", "trim_percentage", "trim_verify_zero", "number_of_files",
                     "random_interval"), "where bios lie is drawn by rw, bs, offset and size"),
    **dict.fromkeys(("sync", "atomic", "write_barrier", "sync_file_range"),
                    "write fua in the config's workload"),
    **dict.fromkeys(("read_iolog", "replay_time_scale", "replay_no_stall", "replay_redirect",
                     "replay_scale", "replay_align"), "use --trace"),
    **dict.fromkeys(("include", "profile", "kb_base", "unit_base", "cmdprio_percentage",
                     "cpuload", "cpuchunks", "uncached", "rwmixcycle"), "it changes the job"),
}
