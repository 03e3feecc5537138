/* The workload of a guest: `work blk DEVICE SEED`, `work fs FOLDER SEED`, `work mem MIB`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BUFFER = 4 << 20, FILE_BYTES = 48 << 20, FILES = 40, AIO = 32 };
static char *buffer;
static unsigned state = 1;

static unsigned draw(unsigned below)
{
	state = state * 1103515245u + 12345u;
	return (state >> 8) % below;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void submit_asynchronously(int fd, off_t bytes, int writes)
{
	struct iocb blocks[AIO], *list[AIO];
	struct io_event events[AIO];
	aio_context_t context = 0;

	if (syscall(SYS_io_setup, AIO, &context) < 0)
		die("io_setup");
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < AIO; i++) {
			memset(&blocks[i], 0, sizeof blocks[i]);
			blocks[i].aio_fildes = fd;
			blocks[i].aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
			blocks[i].aio_buf = (unsigned long)(buffer + i * 65536);
			blocks[i].aio_nbytes = 4096 << draw(5);
			blocks[i].aio_offset = (off_t)draw(bytes / 65536 - 1) * 65536 + draw(4) * 4096;
			list[i] = &blocks[i];
		}
		long done = syscall(SYS_io_submit, context, AIO, list);
		if (done > 0)
			syscall(SYS_io_getevents, context, done, done, events, NULL);
	}
	syscall(SYS_io_destroy, context);
}

static void direct(const char *path, off_t bytes)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CREAT, 0600);

	if (fd < 0)
		return; /* no O_DIRECT here */
	for (int i = 0; i < 60; i++) {
		off_t at = (off_t)draw(bytes / 4096 - 300) * 4096;
		size_t n = 4096 << draw(8);
		struct iovec parts[8];

		for (int j = 0; j < 8; j++)
			parts[j] = (struct iovec){buffer + j * 65536, 8192};
		if (pwrite(fd, buffer, n, at) < 0 || pread(fd, buffer, n, at) < 0 ||
		    pwritev(fd, parts, 8, at) < 0 || preadv(fd, parts, 8, at) < 0)
			die(path);
	}
	submit_asynchronously(fd, bytes, 1);
	submit_asynchronously(fd, bytes, 0);
	fsync(fd);
	close(fd);
}

static void buffered(const char *path, off_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	char *map;

	if (fd < 0)
		die(path);
	for (int i = 0; i < 200; i++) {
		off_t at = (off_t)draw(bytes / 4096 - 80) * 4096;

		if (pwrite(fd, buffer, 4096 << draw(6), at) < 0)
			die(path);
		if (i % 40 == 39)
			fsync(fd);
	}
	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (int i = 0; i < 60; i++)
		if (pread(fd, buffer, 4096 << draw(6), (off_t)draw(bytes / 4096 - 80) * 4096) < 0)
			die(path);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (off_t at = 0; at < bytes && at < 64 << 20; at += 1 << 20)
		if (pread(fd, buffer, 1 << 20, at) <= 0)
			break;
	map = mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		for (int i = 0; i < 2048; i += 3)
			map[i * 4096] = i;
		msync(map, 8 << 20, MS_SYNC);
		munmap(map, 8 << 20);
	}
	close(fd);
}

static void on_device(const char *path)
{
	unsigned long long bytes = 0;
	int fd = open(path, O_RDWR);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) < 0)
		die(path);
	close(fd);
	direct(path, bytes);
	buffered(path, bytes);
	fd = open(path, O_RDONLY);
	ioctl(fd, BLKFLSBUF, 0); /* nothing of it is cached */
	for (off_t at = 0; at < 32 << 20 && pread(fd, buffer, 65536, at) > 0; at += 65536)
		;
	close(fd);
}

static void on_files(const char *folder, unsigned seed)
{
	char path[4096];
	FILE *drop;
	int fd;

	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "%s/f%u-%d", folder, seed, i);
		fd = open(path, O_RDWR | O_CREAT, 0600);
		if (fd < 0)
			die(path);
		for (int j = draw(20); j >= 0; j--)
			if (pwrite(fd, buffer, 1024 + draw(200000), (off_t)draw(32) * 65536) < 0)
				die(path);
		if (i % 7 == 0)
			fsync(fd);
		close(fd);
	}
	snprintf(path, sizeof path, "%s/large%u", folder, seed);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, FILE_BYTES) < 0)
		die(path);
	close(fd);
	buffered(path, FILE_BYTES);
	direct(path, FILE_BYTES);
	sync();
	drop = fopen("/proc/sys/vm/drop_caches", "w");
	if (drop) {
		fputs("3", drop);
		fclose(drop);
	}
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof path, "%s/f%u-%d", folder, seed, i);
		fd = open(path, O_RDONLY);
		while (fd >= 0 && read(fd, buffer, 1 << 20) > 0)
			;
		close(fd);
	}
}

static void on_memory(size_t bytes)
{
	int access = PROT_READ | PROT_WRITE;
	char *shared = mmap(NULL, bytes, access, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *own = mmap(NULL, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned sum = 0;

	for (int round = 0; round < 2; round++)
		for (size_t at = 0; at < bytes; at += 4096) {
			shared[at] = at >> 12;
			own[at] = round + (at >> 12);
		}
	for (size_t at = 0; at < bytes; at += 4096)
		sum += shared[at] + own[at];
	printf("%u\n", sum);
}

int main(int count, char **words)
{
	if (count < 3 || posix_memalign((void **)&buffer, 4096, BUFFER))
		return 2;
	memset(buffer, 0xa5, BUFFER);
	if (count > 3)
		state = atoi(words[3]);
	if (!strcmp(words[1], "blk"))
		on_device(words[2]);
	else if (!strcmp(words[1], "fs"))
		on_files(words[2], state);
	else
		on_memory((size_t)atoi(words[2]) << 20);
	return 0;
}
