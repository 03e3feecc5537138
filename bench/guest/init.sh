#!/bin/sh
# The guest's first process: modules, devices, then the stacks of /stacks.sh one after the other.
# Lines that begin with @@ on the console are what bench/guest/measure.py reads.
export PATH=/bin:/sbin:/usr/sbin:/usr/bin DM_DISABLE_UDEV=1 MDADM_NO_UDEV=1
# busybox has smaller ones of its own
modprobe() { /sbin/modprobe "$@"; }
mkswap() { /sbin/mkswap "$@"; }
swapon() { /sbin/swapon "$@"; }
losetup() { /sbin/losetup "$@"; }
wipefs() { /sbin/wipefs "$@"; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tracefs tracefs /sys/kernel/tracing
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
mkdir -p /dev/mapper

# sda and sdb are virtio-scsi's, sdc ahci's, sdd megasas's
for module in virtio_pci virtio_blk virtio_scsi sd_mod; do modprobe -q $module; done
sleep 1
modprobe -q ahci
sleep 2
modprobe -q megaraid_sas
sleep 2
for module in nvme dm_mod loop zram md_mod raid0 raid1 raid10 raid456 dm_crypt dm_mirror \
	dm_snapshot dm_thin_pool dm_cache dm_cache_smq dm_writecache dm_integrity dm_delay dm_flakey \
	dm_raid dm_multipath dm_round_robin bcache ext4 xfs btrfs f2fs vfat aesni_intel xts \
	crc32c_generic crc32c_intel; do
	modprobe -q $module
done
modprobe -q brd rd_size=409600 rd_nr=2

echo "@@VERSION $(uname -v)"
tracing=/sys/kernel/tracing
# line numbers of the functions that there are: a glob is compared with each of them by the kernel,
# for minutes under emulation (kernel/trace/ftrace.c, MATCH_INDEX from 4.18 on)
globs='submit_bio* __submit_bio blk_* __blk_* bio_* elv_* dd_* sbitmap_* mempool_* virtio* virtblk*
virtq* virtscsi* vp_* scsi_* sd_* sg_* ata_* ahci_* megasas_* nvme_* brd_* loop_* dm_* linear_map
crypt_map stripe_map mirror_map origin_map snapshot_map thin_map thin_bio_map writecache_map
raid_map delay_map multipath_map* cache_map flakey_map md_* raid*_* handle_stripe* ops_run_io
async_* bch_* cached_dev_* zram_* dma_map* dma_direct* mq_* mpage_* iomap_* ext4_* xfs_* btrfs_*
f2fs_* swap_writepage __swap_writepage swap_read* end_bio* clone_endio crypt_endio'
[ -e /iommu ] && globs="$globs iommu_* __iommu_* intel_iommu_* amd_iommu_* amdv1_* vtdss_* x86_64_map*
__map_range* alloc_iova* qi_* cache_tag_* __domain_mapping pfn_to_dma_pte"
# a line number matches one function; the kernel takes what is written word by word
set -f
wanted=$(echo $globs | sed 's/ /|/g; s/[*]/[^ ]*/g')
set +f
grep -nE "^($wanted)( |\$)" $tracing/available_filter_functions | cut -d: -f1 > /tmp/lines
cat /tmp/lines > $tracing/stack_trace_filter
echo "@@TRACED $(grep -c . /tmp/lines)"
cat /tmp/lines > $tracing/stack_trace_filter

begin() {
	echo 0 > $tracing/stack_max_size
	echo 1 > /proc/sys/kernel/stack_tracer_enabled
}
finish() {
	echo 0 > /proc/sys/kernel/stack_tracer_enabled
	echo "@@MAX $(cat $tracing/stack_max_size)"
	sed 's/^/@@ROW /' $tracing/stack_trace
}
pressure() {
	mkdir -p /sys/fs/cgroup/small
	echo +memory > /sys/fs/cgroup/cgroup.subtree_control
	echo 40M > /sys/fs/cgroup/small/memory.max
	sh -c 'echo $$ > /sys/fs/cgroup/small/cgroup.procs; exec work mem 60'
}
take_down() {
	sync
	for round in 1 2 3; do
		for place in $(grep ' /mnt/' /proc/mounts | cut -d' ' -f2); do umount "$place"; done
		swapoff -a
		for device in /dev/loop[0-9]; do losetup -d "$device"; done
		for stop in /sys/block/bcache*/bcache/stop /sys/fs/bcache/*/stop; do echo 1 > "$stop"; done
		dmsetup remove_all --force
		mdadm --stop --scan
		echo 1 > /sys/block/zram0/reset
	done
	for disk in b c d e f; do dd if=/dev/zero of=/dev/vd$disk bs=1M count=2; done
}

. /stacks.sh
echo "@@DONE"
poweroff -f
