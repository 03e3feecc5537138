"""What stands on what: devices, checks, sizes, and configs in and out."""

from blockstack.stack.config import (
    Config,
    Overrides,
    config_from_dict,
    config_to_dict,
    dump_config,
    load_config,
    parse_config,
    parse_submission,
    parse_thread_size,
    save_config,
)
from blockstack.stack.device import Device, Lower, Segment
from blockstack.stack.model import Stack

__all__ = [
    "Config", "Device", "Lower", "Overrides", "Segment", "Stack", "config_from_dict",
    "config_to_dict", "dump_config", "load_config", "parse_config", "parse_submission",
    "parse_thread_size", "save_config",
]
