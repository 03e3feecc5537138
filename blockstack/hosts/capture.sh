#!/bin/sh
# blockstack capture: what stands on what on this machine, as text, in one archive.
#
#   sh capture.sh [ARCHIVE]      default: blockstack-capture-HOST-DATE.tar.gz
#   ROOT=/mnt sh capture.sh      another root for /sys and /proc
#   MASK=yes sh capture.sh       mask serial numbers, WWNs, UUIDs, IQNs and the host's name
#
# Reads only. No root needed; as root it sees more (dmsetup, mdadm, multipath, LVM). No key, no
# password and no file's content is read: the key field of dm-crypt tables is cut out, and of an
# iSCSI session only its disks and network interface are kept.
set -u
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
MASK=${MASK:-no}
ROOT=${ROOT:-}
host=$(uname -n)
test "$MASK" = yes && host=host
out=${1:-blockstack-capture-$host-$(date +%Y%m%d).tar.gz}
umask 077
work=$(mktemp -d "${TMPDIR:-/tmp}/blockstack.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
dir=$work/blockstack-capture
mkdir "$dir" || exit 2

# Serial numbers and the like become the word "masked"; device names stay.
mask() {
  if test "$MASK" != yes; then
    cat
    return
  fi
  sed -e 's/[0-9a-fA-F]\{8\}-[0-9a-fA-F]\{4\}-[0-9a-fA-F]\{4\}-[0-9a-fA-F]\{4\}-[0-9a-fA-F]\{12\}/masked/g' \
    -e 's/[0-9a-fA-F]\{8\}:[0-9a-fA-F]\{8\}:[0-9a-fA-F]\{8\}:[0-9a-fA-F]\{8\}/masked/g' \
    -e 's/\(LVM-\)[A-Za-z0-9]\{32,64\}/\1masked/g' \
    -e 's/\(CRYPT-[A-Z0-9]*-\)[0-9a-f]\{32\}[^ ]*/\1masked/g' \
    -e 's/\(mpath-\)[^ ]*/\1masked/g' \
    -e 's/iqn\.[^ ,"]*/iqn.masked/g' -e 's/nqn\.[^ ,"]*/nqn.masked/g' \
    -e 's/\("\(serial\|wwn\|uuid\|ptuuid\|partuuid\|partlabel\|label\|SerialNumber\|HostID\)": *\)"[^"]*"/\1"masked"/g' \
    -e 's/(3[0-9a-f]\{16,32\})/(masked)/g'
}

# WWIDs are names of multipath devices, too: each becomes wwid1, wwid2 ... in all files alike.
rename() {
  find "$dir" -type f -exec awk '
    {
      line = $0
      out = ""
      while (match(line, /3[0-9a-f]+/)) {
        word = substr(line, RSTART, RLENGTH)
        before = RSTART > 1 ? substr(line, RSTART - 1, 1) : substr(out, length(out))
        if ((RLENGTH == 17 || RLENGTH == 33) && before !~ /[0-9A-Za-z]/) {
          if (!(word in known)) known[word] = "wwid" (++count)
          word = known[word]
        }
        out = out substr(line, 1, RSTART - 1) word
        line = substr(line, RSTART + RLENGTH)
      }
      print out line >(FILENAME ".masked")
    }' {} +
  for f in $(find "$dir" -name '*.masked'); do mv "$f" "${f%.masked}"; done
}

# One file's content, if it can be read.
keep() {
  if test -r "$ROOT/$1"; then
    mkdir -p "$dir/$(dirname "$1")" && cat "$ROOT/$1" 2>/dev/null | mask >"$dir/$1"
  fi
}

# A command's output, if the command is there and says something.
run() {
  name=$1
  shift
  if test -z "$ROOT" && command -v "$1" >/dev/null 2>&1; then
    "$@" 2>/dev/null </dev/null | mask >"$dir/$name"
    test -s "$dir/$name" || rm -f "$dir/$name"
  fi
}

# path=value for an attribute, path -> target for a link.
attribute() {
  if test -f "$1" && test -r "$1"; then
    value=
    { read -r value <"$1"; } 2>/dev/null
    printf '%s=%s\n' "${1#"$ROOT"}" "$value"
  fi
}
link() {
  if test -L "$1"; then
    printf '%s -> %s\n' "${1#"$ROOT"}" "$(readlink "$1")"
  fi
}

device() {
  at=$1
  for a in dev size ro hidden start partition alignment_offset discard_alignment \
    dm/name dm/uuid loop/backing_file md/level md/raid_disks md/chunk_size md/layout md/metadata_version md/bitmap/location \
    bcache/cache_mode; do
    attribute "$at/$a"
  done
  for a in logical_block_size physical_block_size minimum_io_size optimal_io_size \
    max_sectors_kb max_hw_sectors_kb max_segments max_segment_size chunk_sectors \
    virt_boundary_mask dma_alignment discard_granularity discard_max_bytes \
    max_discard_segments max_integrity_segments write_zeroes_max_bytes rotational \
    zoned scheduler; do
    attribute "$at/queue/$a"
  done
  for l in "$at"/slaves/* "$at"/bcache "$at"/bcache/cache/cache* "$at"/md/rd*/block; do
    link "$l"
  done
}

sysfs() {
  test -d "$ROOT/sys" || return
  for l in "$ROOT"/sys/block/*; do
    test -e "$l" || continue
    link "$l"
    at=$(cd "$l" 2>/dev/null && pwd -P) || continue
    device "$at"
    for p in "$at"/*/partition; do
      test -f "$p" && device "${p%/partition}"
    done
  done
  for h in "$ROOT"/sys/class/scsi_host/host*/proc_name "$ROOT"/sys/class/nvme/nvme*/transport; do
    attribute "$h"
  done
  for n in "$ROOT"/sys/class/nvme/* "$ROOT"/sys/fs/bcachefs/*/dev-*/block \
    "$ROOT"/sys/fs/btrfs/*/devices/*; do
    link "$n"
  done
}

sysfs | mask >"$dir/blockstack-sysfs"
uname -srvm | sed "s/^Linux /Linux $host /" >"$dir/uname"
if test -n "$ROOT"; then rm -f "$dir/uname"; fi
for f in proc/self/mountinfo proc/swaps proc/mdstat proc/version; do keep "$f"; done
run lsblk_--json.json lsblk --json -O -b
test -f "$dir/lsblk_--json.json" || run lsblk_-O_-P lsblk -O -P -b
run dmsetup_info_-c dmsetup info -c
run losetup_-a losetup -a
run multipath_-ll multipath -ll
run lvs_json.json lvs -a --reportformat json --units b --nosuffix \
  -o lv_name,vg_name,lv_attr,lv_size,segtype,stripes,stripe_size,chunk_size,pool_lv,data_lv,metadata_lv,devices
run pvs_json.json pvs --reportformat json --units b --nosuffix -o pv_name,vg_name,pv_size,pe_start
if test -z "$ROOT" && command -v dmsetup >/dev/null 2>&1; then
  # "NAME: START LENGTH crypt CIPHER KEY ...": the key, or its name in a keyring, is cut out
  dmsetup table 2>/dev/null </dev/null |
    sed -e 's/^\(.*: [0-9][0-9]* [0-9][0-9]* crypt [^ ]* \)[^ ]*/\1-/' | mask >"$dir/dmsetup_table"
  test -s "$dir/dmsetup_table" || rm -f "$dir/dmsetup_table"
fi
run drbdsetup_status_--json drbdsetup status --json
if test -z "$ROOT" && command -v drbdsetup >/dev/null 2>&1; then
  # the peers' shared secret is cut out
  drbdsetup show 2>/dev/null </dev/null | grep -v secret | mask >"$dir/drbdsetup_show"
  test -s "$dir/drbdsetup_show" || rm -f "$dir/drbdsetup_show"
fi
if test -z "$ROOT" && command -v iscsiadm >/dev/null 2>&1; then
  iscsiadm -m session -P 3 2>/dev/null </dev/null |
    grep -E 'Iface (Name|Netdev|Transport)|Attached scsi disk|^Target|SID' | mask \
      >"$dir/iscsiadm_-m_session_-P_3"
  test -s "$dir/iscsiadm_-m_session_-P_3" || rm -f "$dir/iscsiadm_-m_session_-P_3"
fi
run nvme_list_json.json nvme list -v -o json

if ! test -s "$dir/blockstack-sysfs" && ! test -f "$dir/lsblk_--json.json"; then
  echo "capture: neither /sys nor lsblk tells of block devices here" >&2
  exit 1
fi
test "$MASK" = yes && rename
(cd "$work" && tar cf - blockstack-capture) | gzip -c >"$out" || exit 2
echo "wrote $out" >&2
