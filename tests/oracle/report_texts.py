"""Reports of stacks in the forms of their tools, with names and numbers made up for the tests."""

GUARD_PAGE = """\
BUG: TASK stack guard page was hit at ffffb80001243ff8 (stack is ffffb80001244000..ffffb80001248000)
stack guard page: 0000 [#1] PREEMPT SMP NOPTI
CPU: 2 PID: 611 Comm: kworker/2:3 Not tainted 6.1.0-9-amd64 #1
RIP: 0010:crypt_map+0x8/0x130 [dm_crypt]
RSP: 0018:ffffb80001244000 EFLAGS: 00010246
CR2: ffffb80001243ff8 CR3: 000000010a410000 CR4: 00000000003706e0
Call Trace:
 <TASK>
 __map_bio+0x4b/0x1f0 [dm_mod]
 dm_submit_bio+0x1a3/0x5e0 [dm_mod]
 __submit_bio+0x8f/0x1a0
 submit_bio_noacct_nocheck+0x15c/0x2f0
 ? submit_bio_noacct+0x11/0x22
 submit_bio+0x42/0xb0
 kthread+0xe9/0x110
 ret_from_fork+0x22/0x30
 </TASK>
Modules linked in: dm_crypt dm_mod
---[ end trace 0000000000000000 ]---
RIP: 0010:crypt_map+0x8/0x130 [dm_crypt]
"""
INCLUSIVE = GUARD_PAGE.replace("..ffffb80001248000", "..ffffb80001247fff")
HASHED = GUARD_PAGE.replace("ffffb80001243ff8 (", "00000000a1b2c3d4 (").replace(
    "ffffb80001244000..ffffb80001248000", "00000000b1b2c3d4..00000000c1b2c3d4"
)
DOUBLE_FAULT = "PANIC: double fault, error_code: 0x0\n" + "".join(
    line for line in GUARD_PAGE.splitlines(keepends=True) if "guard page" not in line
)
KASAN = """\
BUG: TASK stack guard page was hit at ffffc90002aeffd8 (stack is ffffc90002af0000..ffffc90002af8000)
Oops: stack guard page: 0000 [#1] PREEMPT SMP KASAN
CPU: 0 UID: 0 PID: 5121 Comm: syz-executor Not tainted 6.12.0-rc2-syzkaller #0
RIP: 0010:mempool_alloc_noprof+0x91/0x5a0 mm/mempool.c:393
RSP: 0018:ffffc90002aeffe0 EFLAGS: 00010246
Call Trace:
 <TASK>
 bio_alloc_bioset+0x26f/0x1130 block/bio.c:556
 bio_alloc include/linux/bio.h:378 [inline]
 submit_bh_wbc+0x24f/0x560 fs/buffer.c:2808
 __submit_bio block/blk-core.c:629 [inline]
 submit_bio_noacct_nocheck+0x4d3/0xe30 block/blk-core.c:739
 entry_SYSCALL_64_after_hwframe+0x77/0x7f
RIP: 0033:0x7f21ab77dff9
RSP: 002b:00007fff4ee0a2f8 EFLAGS: 00000246
 </TASK>
"""
DECODED = """\
CPU: 1 PID: 40 Comm: flush Not tainted 6.1.0-9-amd64 #1
Call Trace:
<TASK>
__map_bio (drivers/md/dm.c:1301 (discriminator 3)) dm_mod
dm_submit_bio (include/linux/bio.h:12 drivers/md/dm.c:1850) dm_mod
__submit_bio (block/blk-core.c:601)
submit_bio (block/blk-core.c:840)
</TASK>
"""
ARM64 = """\
Insufficient stack space to handle exception!
Task stack:     [0xffff80001a3c4000..0xffff80001a3c8000]
IRQ stack:      [0xffff800008000000..0xffff800008004000]
Overflow stack: [0xffff00003fdc1310..0xffff00003fdc2310]
CPU: 3 PID: 71 Comm: kworker/3:1 Not tainted 6.1.7 #4
pc : __memset+0x4/0x188
lr : dm_submit_bio+0x90/0x7a0
sp : ffff80001a3c4040
x29: ffff80001a3c4040 x28: 0000000000000000 x27: ffff00000a5c8000
Kernel panic - not syncing: kernel stack overflow
CPU: 3 PID: 71 Comm: kworker/3:1 Not tainted 6.1.7 #4
Call trace:
 dump_backtrace+0x0/0x1b0
 panic+0x1a0/0x37c
 panic_bad_stack+0x120/0x130
 handle_bad_stack+0x38/0x50
 __bad_stack+0x80/0x84
 __memset+0x4/0x188
 dm_submit_bio+0x90/0x7a0
 __submit_bio+0x84/0x210
 kthread+0x110/0x120
"""
RISCV = """\
Insufficient stack space to handle exception!
Task stack:     [0xff20000000604000..0xff20000000608000]
CPU: 1 PID: 33 Comm: sh Not tainted 6.5.1 #3
epc : __submit_bio+0x6/0x1b0
 ra : submit_bio_noacct_nocheck+0x1c8/0x2b4
epc : ffffffff8041d2f0 ra : ffffffff8041d6a2 sp : ff20000000603fe0
Kernel panic - not syncing: Kernel stack overflow
Call Trace:
[<ffffffff80005d1e>] dump_backtrace+0x1c/0x24
[<ffffffff8089b2ee>] panic+0xf6/0x2de
[<ffffffff80006a10>] walk_stackframe+0x0/0xe0
"""
CRASH = """\
      KERNEL: /usr/lib/debug/boot/vmlinux-6.1.0-9-amd64
     RELEASE: 6.1.0-9-amd64
     MACHINE: x86_64  (2400 Mhz)
crash> bt
PID: 977   TASK: ffff99d7c1c40000  CPU: 2   COMMAND: "fio"
 #0 [ffffb8000124b9e0] __schedule at ffffffff9b9a1c2d
 #1 [ffffb8000124ba68] schedule at ffffffff9b9a2088
 #2 [ffffb8000124ba80] io_schedule at ffffffff9b9a2312
 #3 [ffffb8000124ba98] dm_submit_bio at ffffffffc05a4d31 [dm_mod]
 #4 [ffffb8000124bf50] entry_SYSCALL_64_after_hwframe at ffffffff9ba00099
    RIP: 00007f3a1c9a5d4a  RSP: 00007ffd5d4c1b48  RFLAGS: 00000246
"""
CRASH_NMI = CRASH.replace(
    " #0 [ffffb8000124b9e0]",
    """\
 #0 [fffffe00000b1e58] nmi_handle at ffffffff9b021f93
 #1 [fffffe00000b1ef0] end_repeat_nmi at ffffffff9b8015c4
    [exception RIP: __schedule+0x60]
    RIP: ffffffff9b9a1c2d  RSP: ffffb8000124b9e0  RFLAGS: 00000002
--- <NMI exception stack> ---
 #2 [ffffb8000124b9e0]""",
)
DRGN = """\
>>> prog.stack_trace(977)
#0  __schedule (./kernel/sched/core.c:6019:3)
#1  schedule (kernel/sched/core.c:6100:4) (inlined)
#2  io_schedule+0x42/0x70
#3  dm_submit_bio (drivers/md/dm.c:1850:2)
"""
PPC64 = """\
CPU: 5 PID: 1201 Comm: xfsaild/dm-3 Not tainted 6.4.3 #2
NIP [c000000000aa1234] .raid1_write_request+0x21c/0xb40
LR [c000000000aa11f0] .raid1_write_request+0x1d8/0xb40
Call Trace:
[c000000012a0b4c0] [c000000000aa11f0] .raid1_write_request+0x1d8/0xb40 (unreliable)
[c000000012a0b5d0] [c008000000d41b3c] .raid1_make_request+0x1a4/0x2e0 [raid1]
[c000000012a0b650] [c000000000bb0320] .md_handle_request+0x150/0x320
--- interrupt: 300 at .copy_page+0x1c/0x60
    LR = .copy_page+0x4/0x60
[c000000012a0b7f0] [c00000000019f2e8] .kthread+0x178/0x180
Instruction dump:
"""
PPC64_OVERFLOW = (
    "Kernel stack overflow in process xfsaild/dm-3[1201], r1=c000000012a08010\n" + PPC64
)
S390 = """\
Call Trace:
([<000000000024a6c8>] generic_make_request+0xd8/0x1f4)
 [<000000001084b1f0>] __clone_bio_x+0x88/0x170 [dm_mod]
 [<000000001084b56e>] dm_split_x+0x1ca/0x520 [dm_mod]
 [<000000000024a6c8>] generic_make_request+0xd8/0x1f4
 [<000000001084b1f0>] __clone_bio_x+0x88/0x170 [dm_mod]
 [<000000001084b56e>] dm_split_x+0x1ca/0x520 [dm_mod]
Last Breaking-Event-Address:
 [<000000000024a6c8>] generic_make_request+0xd8/0x1f4
"""
ARM = """\
Internal error: kernel stack overflow: 0 [#1] SMP ARM
CPU: 0 PID: 88 Comm: sh Not tainted 5.15.9 #1
PC is at submit_bio_noacct+0x10/0x2d4
LR is at submit_bio+0x44/0x158
pc : [<c0599a30>]    lr : [<c0599e38>]    psr: 60000013
[<c0599a30>] (submit_bio_noacct) from [<c0599e38>] (submit_bio+0x44/0x158)
[<c0599e38>] (submit_bio) from [<c03c7a10>] (ext4_io_submit+0x30/0x40)
 ext4_writepages from do_writepages+0x74/0x1a0
"""
KLOGD = """\
EFLAGS: 00010286   (2.6.11-1)
esi: 00000000   edi: f7e40a00   ebp: 00000010   esp: f6a4ba90
Process pdflush (pid: 121, threadinfo=f6a4a000 task=f7d2c020)
Call Trace:
 [dm_request+88/192] dm_request+0x58/0xc0
 [generic_make_request+301/410] generic_make_request+0x12d/0x19a
 [pg0+918273600/1069106176] linear_map+0x1d/0x60 [dm_mod]
 [submit_bio+80/240] submit_bio+0x50/0xf0
"""
KSYMOOPS = """\
>>EIP; c0132a10 <submit_bh+20/c0>   <=====
Trace; c0132b50 <ll_rw_block+70/1a0>
Trace; e0847c10 <[lvm-mod]lvm_map+150/3c0>
Trace; c0107b27 <system_call+33/38>
"""
KLOGD_2_4 = """\
do_IRQ: stack overflow: 996
c7b9c120 000003e4 00000000
Call Trace:    [do_IRQ+213/224] [submit_bh+32/192] [<c0132a10>]
[<e0847c10>] [lvm-mod:lvm_map+336/960] [ll_rw_block+112/416]
"""
X86_64_2_6 = """\
Pid: 9, comm: pdflush Not tainted 2.6.18-8.el5 #1
RIP: 0010:[<ffffffff8807b3c4>]  [<ffffffff8807b3c4>] :dm_mod:dm_request+0x64/0x94
RSP: 0018:ffff81003e8d1a98  EFLAGS: 00010246
Process pdflush (pid: 9, threadinfo ffff81003e8d0000, task ffff81003fe2a7a0)
Stack:  ffff81003e8d1ad8 0000000000000000
Call Trace:
 <ffffffff8001c044>{generic_make_request+516} <ffffffff8807b5c1>{:dm_mod:dm_request+277}
 [<ffffffff8001c044>] generic_make_request+0x204/0x21b
 [<ffffffff80033472>] submit_bio+0xcb/0xd2

Code: 48 8b 00
RIP  [<ffffffff8807b3c4>] :dm_mod:dm_request+0x64/0x94
 RSP <ffff81003e8d1a98>
"""
PERF = """\
dd  4321 [001]   210.500000: block:block_bio_queue: 253,0 WS 8 + 8 [dd]
        ffffffff9b5e1a3f submit_bio_noacct_nocheck+0x17f ([kernel.kallsyms])
        ffffffff9b5e1f10 __submit_bio (inlined)
        ffffffffc05a4d31 dm_submit_bio+0x1f1 (/lib/modules/6.1.0/kernel/drivers/md/dm-mod.ko.xz)
        ffffffff9b5e2290 submit_bio+0x70 ([kernel.kallsyms])
            7f3a1c9a5d4a __write+0x1a (/usr/lib/x86_64-linux-gnu/libc.so.6)
"""
BPFTRACE = """\
@[
    dm_submit_bio+1
    __submit_bio+143
    submit_bio+66
]: 12
"""
SYSTEMTAP = """\
Returning from:  0xffffffff9b5e1a3f : dm_submit_bio+0x0/0x5e0 [dm_mod]
Returning to  :  0xffffffff9b5e1f10 : __submit_bio+0x8f/0x1a0 [kernel]
 0xffffffff9b5e2290 : submit_bio+0x42/0xb0 [kernel]
 0xffffffff9b5e2290 : leftover+0x42/0xb0 [kernel] (inexact)
"""
KDB = """\
[1]kdb> bt
ESP        EIP        Function (args)
0xf6a4ba90 0xc0211600 generic_make_request+0x130 (0xf7e40a00, 0x1)
0xf6a4bb10 0xc0213c00 submit_bio+0x50 (0x1, 0xf7e40a00)
0xf6a4bb50 0xc016ef00 submit_bh+0xc0
"""
LOCKDEP = """\
WARNING: possible recursive locking detected
3 locks held by kworker/0:2/88:
 #0: ffff88810a1c0948 ((wq_completion)loop0){+.+.}-{0:0}, at: process_one_work+0x1b0/0x540
 #1: ffff88810a1d0948 ((work_completion)(&w)){+.+.}-{0:0}, at: process_one_work+0x1d0/0x540
-> #1 (&q->q_usage_counter(io)#9){++++}-{0:0}:
       blk_mq_submit_bio+0x5e1/0x7c0
       __submit_bio+0x70/0x1d0
       submit_bio+0x42/0xb0
"""
FTRACE = """\
              dd-4321    [001] ..... 210.5: <stack trace>
 => dm_submit_bio
 => __submit_bio
 => 0xffffffffc0ab1234
 => submit_bio <ffffffff9b5e2290>
"""
I386_OVERRAN = """\
BUG: unable to handle kernel NULL pointer dereference at 00000008
Thread overran stack, or stack corrupted
Pid: 1182, comm: flush-253:0 Not tainted (2.6.32-5-686 #1)
EIP: 0060:[<c11b2e36>] EFLAGS: 00010286 CPU: 0
EIP is at __map_bio+0x86/0x120
ESI: f6eb4000 EDI: 00000000 EBP: 00000001 ESP: f7486030
Process flush-253:0 (pid: 1182, ti=f7486000 task=c1b9e070 task.ti=f7486000)
Call Trace:
 [<f8a0d514>] dm_request+0xd4/0x150 [dm_mod]
 [<c11b3001>] generic_make_request+0x1a1/0x2f0
 [<c11b3f7e>] submit_bio+0x6e/0xe0
"""
GREATEST = """\
cc1 used greatest stack depth: 9000 bytes left
mkfs.xfs (812) used greatest stack depth: 1016 bytes left
"""

#: what each text's one report has: its functions, innermost first
FUNCTIONS = {
    "GUARD_PAGE": "crypt_map __map_bio dm_submit_bio __submit_bio submit_bio_noacct_nocheck "
    "submit_bio kthread ret_from_fork",
    "KASAN": "mempool_alloc_noprof bio_alloc_bioset submit_bh_wbc submit_bio_noacct_nocheck "
    "entry_SYSCALL_64_after_hwframe",
    "DECODED": "__map_bio dm_submit_bio __submit_bio submit_bio",
    "ARM64": "__memset dm_submit_bio __submit_bio kthread",
    "RISCV": "__submit_bio",
    "CRASH": "__schedule schedule io_schedule dm_submit_bio entry_SYSCALL_64_after_hwframe",
    "CRASH_NMI": "__schedule schedule io_schedule dm_submit_bio entry_SYSCALL_64_after_hwframe",
    "DRGN": "__schedule io_schedule dm_submit_bio",
    "PPC64": "raid1_write_request raid1_make_request md_handle_request kthread",
    "S390": "generic_make_request __clone_bio_x dm_split_x generic_make_request __clone_bio_x "
    "dm_split_x",
    "ARM": "submit_bio_noacct submit_bio ext4_writepages",
    "KLOGD": "dm_request generic_make_request linear_map submit_bio",
    "KSYMOOPS": "submit_bh ll_rw_block lvm_map system_call",
    "KLOGD_2_4": "do_IRQ submit_bh 0xc0132a10 lvm_map ll_rw_block",
    "X86_64_2_6": "dm_request generic_make_request dm_request generic_make_request submit_bio",
    "PERF": "submit_bio_noacct_nocheck dm_submit_bio submit_bio",
    "BPFTRACE": "dm_submit_bio __submit_bio submit_bio",
    "SYSTEMTAP": "dm_submit_bio __submit_bio submit_bio",
    "KDB": "generic_make_request submit_bio submit_bh",
    "LOCKDEP": "blk_mq_submit_bio __submit_bio submit_bio",
    "FTRACE": "dm_submit_bio __submit_bio 0xffffffffc0ab1234 submit_bio",
    "I386_OVERRAN": "__map_bio dm_request generic_make_request submit_bio",
}
TEXTS = {name: globals()[name] for name in FUNCTIONS}
