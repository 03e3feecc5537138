#!/bin/sh
# blockstack capture: what stands on what on this machine, as text, in one archive.
#
#   sh capture.sh [ARCHIVE]      default: blockstack-capture-HOST-DATE.tar.gz
#   ROOT=/mnt sh capture.sh      another root for /sys and /proc
#   WITH_KERNEL=yes sh capture.sh   the running kernel's image and loaded modules, too (20-60 MB)
#   MASK=yes sh capture.sh       every serial number, WWN, WWID, UUID, NGUID, EUI64, IQN, NQN, IP,
#                                label, volume group, user, peer and the host's name becomes one
#                                word, the same in all files
#
# Reads only; every command that is run is named on standard error. No root needed; as root it sees
# more (dmsetup, mdadm, multipath, LVM). No key, no password and no file's content is read but the
# kernel's own, on demand: the key field of dm-crypt tables is cut out, and of an iSCSI session only
# its disks and network interface are kept.
set -u
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/sbin:/sbin
MASK=${MASK:-no}
WITH_KERNEL=${WITH_KERNEL:-no}
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

# Whoever finds an identifier: lines "how it is spelled, TAB, what stands for it". A spelling is a
# whole value or a whole part of a path or a name, in lower case; the commonest words are none.
collect() {
  awk '
    function is_common(word) {
      if (word ~ /^(sd|vd|hd|xvd)[a-z]+[0-9]*$/ || word ~ /^mpath[a-z]*$/) return 1
      if (word ~ /^(dm|md|loop|nvme|sr|zram|nbd|drbd|bcache|ram|mmcblk|vg|lv)[0-9nps]*$/) return 1
      return length(word) < 3 || index(common, " " word " ") > 0
    }
    function tidy(value) {
      sub(/^[^A-Za-z0-9]+/, "", value)
      sub(/[^A-Za-z0-9]+$/, "", value)
      return value
    }
    function spell(value, as) {
      value = tolower(tidy(value))
      if (value != "" && !(value in known)) {
        known[value] = as
        print value "\t" as
      }
    }
    # class: what it is; own: 1 when it is a word that a person chose
    function add(class, value, own,   word, start, as) {
      value = tidy(value)
      word = tolower(value)
      if (word == "" || word == "null" || word in known) return
      if (own ? is_common(word) : (length(word) < 4 || word ~ /^[0-9]+$/ && length(word) < 6)) return
      start = ""
      if (match(word, /^(iqn|nqn|eui|naa|uuid|t10|0x)\.?/)) start = substr(value, 1, RLENGTH)
      as = start class (++count[class])
      spell(value, as)
      if (start != "" && length(word) > length(start) + 8) spell(substr(value, length(start) + 1), substr(as, length(start) + 1))
      if (word ~ /^[0-9a-f-]+$/ && word ~ /-/ && length(word) > 15) {
        gsub(/-/, "", word)
        spell(word, as)
      }
      if (class == "vg" && word ~ /-/) {
        gsub(/-/, "--", word)
        spell(word, as)
      }
    }
    function group(name) {  # of the dm name of a logical volume: a single hyphen ends it
      gsub(/--/, "\001", name)
      if (name !~ /-/) return
      sub(/-.*/, "", name)
      gsub(/\001/, "-", name)
      add("vg", name, 1)
    }
    function field(key, value) {
      if (key ~ /^(serial|serialnumber|ptuuid|partuuid|uuid|nguid|eui64|hostid|wwid|lv_uuid|vg_uuid|pv_uuid)$/) add("id", value, 0)
      else if (key == "wwn") add("wwn", value, 0)
      else if (key ~ /^(hostnqn|subsystemnqn)$/) add("nqn", value, 0)
      else if (key ~ /^(label|partlabel|ptlabel|filesystem_label)$/) add("label", value, 1)
      else if (key == "vg_name") add("vg", value, 1)
      else if (key ~ /^id(-link)?$/ && value !~ /^(dm-|md-)/ && value ~ /[-_]/) add("link", value, 0)
      else if (key == "name" && peers) add("peer", value, 1)
      if (key == "connections") peers = 1
      if (key == "name") last = value
      if (key == "type" && value == "lvm") group(last)
    }
    function fields(line,   word, key, value) {  # of JSON, and KEY="VALUE" of lsblk -P
      while (match(line, /"[A-Za-z0-9_:-]+" *: *("[^"]*"|\[)|[A-Z0-9_:-]+="[^"]*"/)) {
        word = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        key = word
        if (word ~ /^"/) sub(/" *:.*/, "", key)
        else sub(/=".*/, "", key)
        sub(/^"/, "", key)
        value = word
        sub(/"?$/, "", value)
        sub(/^.*"/, "", value)
        field(tolower(key), word ~ /\[$/ ? "" : value)
      }
    }
    function uuids(line,   n, i, part) {
      n = split(line, part, /[^0-9A-Za-z]+/)
      for (i = 1; i + 4 <= n; i++)
        if (length(part[i]) == 8 && length(part[i + 1]) == 4 && length(part[i + 2]) == 4 && \
            length(part[i + 3]) == 4 && length(part[i + 4]) == 12 && \
            (part[i] part[i + 1] part[i + 2] part[i + 3] part[i + 4]) ~ /^[0-9a-fA-F]+$/)
          add("uuid", part[i] "-" part[i + 1] "-" part[i + 2] "-" part[i + 3] "-" part[i + 4], 0)
      for (i = 1; i <= n; i++) {
        if (length(part[i]) == 32 && part[i] ~ /^[0-9a-fA-F]+$/) add("uuid", part[i], 0)
        if (length(part[i]) == 64 || part[i - 1] == "LVM" && length(part[i]) > 16) add("id", part[i], 0)
        if ((length(part[i]) == 17 || length(part[i]) == 33) && part[i] ~ /^3[0-9a-f]+$/) add("wwid", part[i], 0)
      }
    }
    # every place where "before" is followed by a run of what is not in "ends"
    function after(line, before, ends, class, own,   rest, value) {
      rest = line
      while (match(rest, before)) {
        rest = substr(rest, RSTART + RLENGTH)
        value = rest
        sub("[" ends "].*", "", value)
        add(class, value, own)
      }
    }
    BEGIN {
      common = " disk part lvm crypt loop rom raid linux root home boot efi esp system data backup swap var usr" \
        " opt srv tmp mnt media run proc sys dev etc lib bin sbin vgdata rootvg vgroot ubuntu ubuntu-vg debian" \
        " fedora centos rhel rocky almalinux suse arch default primary none null true false host peer user label" \
        " ext2 ext3 ext4 xfs btrfs vfat ntfs f2fs iso9660 lvm2_member crypto_luks linux_raid_member mpath_member" \
        " name size type model state vendor scsi nvme sata iscsi tcp rdma live running block virtual devices" \
        " queue slaves mapper localhost localdomain windows recovery bios grub rootfs uefi cloudimg-rootfs "
      add("host", host, 1)
      sub(/\..*/, "", host)
      add("host", host, 1)
    }
    FNR == 1 { peers = 0; last = "" }
    {
      fields($0)
      uuids($0)
      after($0, "/(home|media|run/media)/", "/ ,\")", "user", 1)
      after($0, "by-(label|partlabel)/", "/ ,\")", "label", 1)
      after($0, "(mpath|multipath)-", " ,\"", "wwid", 0)
      after($0, "(_name|[{ ]on) +\"?", "\"; {", "peer", 1)
      after($0, "(host_traddr|traddr)=", ", \"", "ip", 0)
      after($0, "[iI][qQ][nN]\\.", ", \t\"", "iqn", 0)
      after($0, "[nN][qQ][nN]\\.", ", \t\"", "nqn", 0)
      after($0, "ipv6 +\\[?", "] ;", "ip", 0)
      if ($0 ~ /[^ |`]+ dm-[0-9]+ / && $0 !~ /\(.*\) dm-[0-9]/) add("wwid", $1, 0)
      if (match($0, /\([^ )]+\) dm-[0-9]/)) {
        rest = substr($0, RSTART + 1)
        sub(/\).*/, "", rest)
        add("wwid", rest, 0)
      }
      rest = $0
      while (match(rest, /[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/)) {
        ip = substr(rest, RSTART, RLENGTH)
        if (ip !~ /^(127|0)\./) add("ip", ip, 0)
        rest = substr(rest, RSTART + RLENGTH)
      }
      if ($0 ~ /\/dm\/name=/) { dm = $0; sub(/.*=/, "", dm) }
      if ($0 ~ /\/dm\/uuid=LVM-/) group(dm)
      if ($0 ~ / LVM-[0-9A-Za-z]+/ && FILENAME ~ /dmsetup_info/) group($1)
    }' host="$1" $(find "$dir" -type f)
}

# Every identifier of the list becomes the same word everywhere, as a whole word or a whole part.
rename() {
  awk '
    FILENAME == list {
      at = index($0, "\t")
      spelling = substr($0, 1, at - 1)
      known[spelling] = substr($0, at + 1)
      sub(/[^0-9a-z].*/, "", spelling)
      n = split(substr($0, 1, at - 1), part, /[^0-9A-Za-z]+/)
      if (n > most[spelling]) most[spelling] = n
      next
    }
    {
      line = $0
      n = 0
      while (match(line, /[0-9A-Za-z]+/)) {
        before[++n] = substr(line, 1, RSTART - 1)
        word[n] = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
      }
      before[n + 1] = line
      out = ""
      for (i = 1; i <= n; i++) {
        out = out before[i]
        found = 0
        if ((first = tolower(word[i])) in most) {
          whole[1] = first
          for (k = 2; k <= most[first] && i + k - 1 <= n; k++)
            whole[k] = whole[k - 1] tolower(before[i + k - 1] word[i + k - 1])
          for (k--; k > 0 && !found; k--)
            if (whole[k] in known && !(before[i] ~ /"$/ && before[i + k] ~ /^" *:/)) {
              out = out known[whole[k]]
              i += k - 1
              found = 1
            }
        }
        if (!found) out = out word[i]
      }
      print out before[n + 1] >(FILENAME ".masked")
    }' list="$work/list" "$work/list" $(find "$dir" -type f)
  for f in $(find "$dir" -name '*.masked'); do mv "$f" "${f%.masked}"; done
}

# Keys in dm tables, by their place in a target's line: "NAME: START LENGTH TARGET ...".
without_keys() {
  awk '
    {
      if (!match($0, /: [0-9]+ [0-9]+ [a-z]/)) { print; next }
      name = substr($0, 1, RSTART + 1)
      n = split(substr($0, RSTART + 2), part, " ")
      target = part[3]
      if (target ~ /^(crypt|inlinecrypt|default-key)$/) part[5] = "-"
      if (target == "verity") { part[12] = "-"; part[13] = "-" }
      for (i = 4; i <= n; i++) {
        if (part[i] ~ /^(journal_crypt|journal_mac|internal_hash):/) {
          split(part[i], hash, ":")
          part[i] = hash[1] ":" hash[2]
        }
        if (part[i - 1] == "root_hash_sig_key_desc") part[i] = "-"
        if (length(part[i]) > 31 && part[i] ~ /^[0-9a-fA-F]+$/) part[i] = "-"
      }
      line = name
      for (i = 1; i <= n; i++) line = line (i > 1 ? " " : "") part[i]
      print line
    }'
}

# One file's content, if it can be read.
keep() {
  if test -r "$ROOT/$1"; then
    mkdir -p "$dir/$(dirname "$1")" && cat "$ROOT/$1" 2>/dev/null >"$dir/$1"
  fi
}

# A command's output through `clean`, if the command is there and says something.
clean() { cat; }
run() {
  name=$1
  shift
  if test -z "$ROOT" && command -v "$1" >/dev/null 2>&1; then
    echo "ran: $*" >&2
    "$@" 2>/dev/null </dev/null | clean >"$dir/$name"
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

sysfs >"$dir/blockstack-sysfs"
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
# keys and secrets are cut out on the way, whether masked or not
clean() { without_keys; }
run dmsetup_table dmsetup table
clean() { cat; }
run drbdsetup_status_--json drbdsetup status --json
clean() { sed -e 's/\(shared-secret *\)"[^"]*"/\1""/g' -e 's/\(shared-secret  *\)[^"; ][^; ]*/\1""/g'; }
run drbdsetup_show drbdsetup show
clean() { grep -E 'Iface (Name|Netdev|Transport)|Attached scsi disk|^Target|SID'; }
run iscsiadm_-m_session_-P_3 iscsiadm -m session -P 3
clean() { cat; }
run nvme_list_json.json nvme list -v -o json

if ! test -s "$dir/blockstack-sysfs" && ! test -f "$dir/lsblk_--json.json"; then
  echo "capture: neither /sys nor lsblk tells of block devices here" >&2
  exit 1
fi
if test "$MASK" = yes; then
  collect "$(uname -n)" >"$work/list" && rename || exit 2
fi

# The running kernel: its build id, and on demand its files, each below kernel/ where it lies.
release=$(sed -n 's/^Linux version \([^ ]*\).*/\1/p' "$ROOT/proc/version" 2>/dev/null)
bring() {
  if test -r "$ROOT/$1"; then
    mkdir -p "$dir/kernel/$(dirname "$1")" && cat "$ROOT/$1" >"$dir/kernel/$1" 2>/dev/null
  else
    return 1
  fi
}
bring sys/kernel/notes && bring proc/version
if test "$WITH_KERNEL" = yes && test -n "$release"; then
  bring proc/modules
  bring "boot/vmlinuz-$release" || bring "usr/lib/modules/$release/vmlinuz" ||
    echo "capture: cannot read the image of $release (as root?)" >&2
  while read -r name rest; do
    name=$(echo "$name" | sed 's/[-_]/[-_]/g')
    find "$ROOT/lib/modules/$release/" -name "$name.ko*" 2>/dev/null
  done <"$ROOT/proc/modules" | while read -r file; do
    bring "${file#"$ROOT/"}"
  done
fi
(cd "$work" && tar cf - blockstack-capture) | gzip -c >"$out" || exit 2
echo "wrote $out" >&2
