/*
 * LD_PRELOAD: makes the names in FAKEBURN_DEVS (default /dev/sr0:/dev/sg0) look like one optical
 * drive.  Each SCSI command goes over the unix stream socket FAKEBURN_SOCK to tests/burner/server.py;
 * the message format is described in tests/burner/wire.py.
 *
 * - Without FAKEBURN_SOCK every call passes through untouched.  The variable is read at each call, so
 *   a running Python interpreter can switch the drive on and off.
 * - The descriptor handed out IS the connected socket: close, fork, exec inheritance, fcntl locks and
 *   flock need no code here.  As each open is a socket of its own, such locks never exclude each other;
 *   only O_EXCL does (the server answers EBUSY), as with a kernel block device.
 * - A descriptor is recognised by number and socket inode, so one that went away behind our back
 *   (close_range, a vfork child that closes "its" descriptors in our memory) is never mistaken.
 * - FAKEBURN_SOCK1, beside FAKEBURN_SOCK, is the socket of a second drive, /dev/sr1 and /dev/sg1.
 * - FAKEBURN_MOUNTINFO names a file to be opened in place of /proc/self/mountinfo.
 * - FAKEBURN_LENGTH names a file with the number of blocks that the kernel takes the disc for, at most.
 * - FAKEBURN_MAXSLEEP (microseconds) caps the sleeps of the burn programs, never those of others.
 * - FAKEBURN_LINGER (milliseconds) is how much later a thread of theirs ends than it has done its work.
 *
 * Not covered: static programs, direct system calls, fopen() of the drive, listings of /dev, /sys.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <linux/cdrom.h>
#include <linux/fs.h>
#include <scsi/scsi.h>
#include <scsi/sg.h>

#ifndef SCSI_IOCTL_GET_IDLUN
#define SCSI_IOCTL_GET_IDLUN 0x5382
#endif
#ifndef SCSI_IOCTL_GET_BUS_NUMBER
#define SCSI_IOCTL_GET_BUS_NUMBER 0x5386
#endif

#define BLOCK 2048
#define READ_BLOCKS 64	/* blocks per READ(10) of a plain read */
#define MAX_FD 4096
#define MAX_LINKS 8

/* The next definition of NAME in the search order, as the function pointer `real`. */
#define REAL(ret, name, ...) \
	static ret (*real)(__VA_ARGS__); \
	if (!real) \
		real = (ret (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* The node of a drive; that of the second drive has SECOND as well. */
enum node { NONE = 0, BLOCK_NODE = 'r', CHAR_NODE = 'g', SECOND = 0x100 };
#define IS_CHAR(node) (((node) & 0xff) == CHAR_NODE)
#define UNIT(node) ((node) & SECOND ? 1 : 0)
enum message { MSG_OPEN = 0, MSG_COMMAND = 1 };
enum direction { DIR_NONE = 0, DIR_OUT = 1, DIR_IN = 2 };

struct request {
	uint32_t message, cdb_len, direction, length;
	uint8_t cdb[16];
};

struct reply {
	uint32_t host, status, driver, sense_len, data_len;
};

static struct {
	enum node node;
	int flags;
	ino_t inode;
	off_t position;
} slots[MAX_FD];

static pthread_mutex_t one_command[2] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };

/* ---- which descriptors and names are the drive ---------------------------------------------- */

static const char *socket_of(enum node node)
{
	return getenv(UNIT(node) ? "FAKEBURN_SOCK1" : "FAKEBURN_SOCK");
}

static ino_t socket_inode(int fd)
{
	struct stat st;
	int saved = errno;
	int bad = syscall(SYS_fstat, fd, &st) || !S_ISSOCK(st.st_mode);

	errno = saved;
	return bad ? 0 : st.st_ino;
}

static enum node drive_fd(int fd)
{
	if (fd < 0 || fd >= MAX_FD || slots[fd].node == NONE)
		return NONE;
	return socket_inode(fd) == slots[fd].inode ? slots[fd].node : NONE;
}

static void adopt(int fd, enum node node, int flags)
{
	if (fd < 0 || fd >= MAX_FD)
		return;
	slots[fd].inode = socket_inode(fd);
	slots[fd].flags = flags;
	slots[fd].position = 0;
	slots[fd].node = node;
}

static int copy_slot(int from, int to)
{
	if (to >= 0 && to < MAX_FD && drive_fd(from))
		slots[to] = slots[from];
	return to;
}

/* Drive descriptors that came through exec: growisofs hands its own to mkisofs as /dev/fd/3. */
__attribute__((constructor)) static void adopt_inherited(void)
{
	const char *server = socket_of(BLOCK_NODE), *second = socket_of(BLOCK_NODE | SECOND);
	int saved = errno;

	for (int fd = 0; server && fd < 64; fd++) {
		struct sockaddr_un peer = { 0 };
		socklen_t len = sizeof peer - 1;

		if (getpeername(fd, (struct sockaddr *)&peer, &len) || peer.sun_family != AF_UNIX)
			continue;
		if (!strcmp(peer.sun_path, server))
			adopt(fd, BLOCK_NODE, 0);
		else if (second && !strcmp(peer.sun_path, second))
			adopt(fd, BLOCK_NODE | SECOND, 0);
	}
	errno = saved;
}

static enum node listed(const char *path)
{
	const char *list = getenv("FAKEBURN_DEVS"), *end;

	for (list = list ? list : "/dev/sr0:/dev/sg0"; *list; list = *end ? end + 1 : end) {
		end = strchrnul(list, ':');
		if (strlen(path) == (size_t)(end - list) && !strncmp(path, list, end - list))
			return strstr(path, "/sg") ? CHAR_NODE : BLOCK_NODE;
	}
	if (!strcmp(path, "/dev/sr1") || !strcmp(path, "/dev/sg1"))
		return socket_of(SECOND) ? SECOND | (path[6] == 'g' ? CHAR_NODE : BLOCK_NODE) : NONE;
	return NONE;
}

static enum node inherited_name(const char *path)
{
	if (!strncmp(path, "/dev/fd/", 8))
		return drive_fd(atoi(path + 8));
	if (!strncmp(path, "/proc/self/fd/", 14))
		return drive_fd(atoi(path + 14));
	return NONE;
}

/* Take "." and ".." out of an absolute path, by its letters only. */
static void tidy(char *path)
{
	char *out = path, *in = path;

	while (*in) {
		char *end = strchrnul(in + 1, '/');
		size_t len = end - in;

		if (len == 3 && !strncmp(in, "/..", 3)) {
			while (out > path && *--out != '/')
				;
		} else if (len > 1 && !(len == 2 && in[1] == '.')) {
			memmove(out, in, len);
			out += len;
		}
		in = end;
	}
	*out = 0;
}

/* Replace the absolute NAME by what the link of that name points to; 0 when it is no link. */
static int follow_once(char name[PATH_MAX])
{
	char target[PATH_MAX], joined[2 * PATH_MAX];
	ssize_t len = syscall(SYS_readlinkat, AT_FDCWD, name, target, sizeof target - 1);

	if (len <= 0)
		return 0;
	target[len] = 0;
	if (target[0] == '/')
		snprintf(joined, sizeof joined, "%s", target);
	else
		snprintf(joined, sizeof joined, "%.*s/%s", (int)(strrchr(name, '/') - name), name, target);
	tidy(joined);
	snprintf(name, PATH_MAX, "%.*s", PATH_MAX - 1, joined);
	return 1;
}

/* The drive node that PATH names, links followed; its own name goes to NAME. */
static enum node resolve(const char *path, char name[PATH_MAX])
{
	size_t used = 0;
	enum node node;

	if (path[0] != '/') {
		if (!getcwd(name, PATH_MAX - 1))
			return NONE;
		used = strlen(name);
		name[used++] = '/';
	}
	if (used + strlen(path) >= PATH_MAX)
		return NONE;
	strcpy(name + used, path);
	tidy(name);
	for (int links = 0; !(node = listed(name)) && links < MAX_LINKS; links++)
		if (!follow_once(name))
			return NONE;
	return node;
}

static enum node drive_name(const char *path, int follow)
{
	char name[PATH_MAX];
	enum node node;
	int saved = errno;

	if (!getenv("FAKEBURN_SOCK") || !path || !*path)
		return NONE;
	node = listed(path);
	if (!node)
		node = inherited_name(path);
	if (!node && follow)
		node = resolve(path, name);
	errno = saved;
	return node;
}

/* As drive_name, for the *at() family: relative to another directory is never ours. */
static enum node drive_at(int dir, const char *path, int at_flags)
{
	if (path && !*path && (at_flags & AT_EMPTY_PATH))
		return drive_fd(dir);
	if (path && path[0] != '/' && dir != AT_FDCWD)
		return NONE;
	return drive_name(path, !(at_flags & AT_SYMLINK_NOFOLLOW));
}

/* ---- one request, one reply ----------------------------------------------------------------- */

static int transfer(int fd, void *buf, size_t len, int out)
{
	char *at = buf;

	while (len) {
		ssize_t done = out ? send(fd, at, len, MSG_NOSIGNAL) : recv(fd, at, len, 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		at += done;
		len -= done;
	}
	return 0;
}

/* Receive SENT bytes of which only the first ROOM are wanted. */
static int receive(int fd, void *buf, size_t room, size_t sent)
{
	char waste[512];
	size_t keep = sent < room ? sent : room;

	if (keep && transfer(fd, buf, keep, 0))
		return -1;
	for (sent -= keep; sent; sent -= keep) {
		keep = sent < sizeof waste ? sent : sizeof waste;
		if (transfer(fd, waste, keep, 0))
			return -1;
	}
	return 0;
}

struct command {
	enum direction direction;
	const uint8_t *cdb;
	unsigned cdb_len;
	void *data;
	uint32_t length;	/* of data; the flags in a MSG_OPEN */
	uint8_t *sense;
	unsigned sense_room;
	uint32_t got;		/* bytes of data that came */
};

static int exchange(int fd, enum message message, struct command *c, struct reply *reply)
{
	struct request request = { message, c->cdb_len, c->direction, c->length, { 0 } };
	uint32_t room = message == MSG_OPEN ? 0 : c->length;

	if (c->cdb)
		memcpy(request.cdb, c->cdb, c->cdb_len < 16 ? c->cdb_len : 16);
	if (transfer(fd, &request, sizeof request, 1))
		return -1;
	if (c->direction == DIR_OUT && c->length && transfer(fd, c->data, c->length, 1))
		return -1;
	if (transfer(fd, reply, sizeof *reply, 0))
		return -1;
	if (receive(fd, c->sense, c->sense_room, reply->sense_len))
		return -1;
	c->got = reply->data_len < room ? reply->data_len : room;
	if (reply->sense_len > c->sense_room)
		reply->sense_len = c->sense_room;
	return receive(fd, c->data, room, reply->data_len);
}

/* A lost connection looks like an unplugged drive: ENODEV. */
static int scsi(int fd, enum message message, struct command *c, struct reply *reply)
{
	pthread_mutex_t *turn = &one_command[UNIT(slots[fd].node)];
	int bad;

	pthread_mutex_lock(turn);
	bad = exchange(fd, message, c, reply);
	pthread_mutex_unlock(turn);
	if (bad)
		errno = ENODEV;
	return bad;
}

static int open_drive(enum node node, int flags)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct command hello = { .length = flags };
	struct reply reply;
	int type = SOCK_STREAM | ((flags & O_CLOEXEC) ? SOCK_CLOEXEC : 0);
	int fd = socket(AF_UNIX, type, 0), failed = 0;

	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_of(node));
	if (fd >= MAX_FD || connect(fd, (struct sockaddr *)&address, sizeof address) ||
	    scsi(fd, MSG_OPEN, &hello, &reply))
		failed = ENXIO;
	else
		failed = reply.status;
	if (failed) {
		close(fd);
		errno = failed;
		return -1;
	}
	adopt(fd, node, flags);
	return fd;
}

/* ---- open and close ------------------------------------------------------------------------- */

static const char *substitute(const char *path)
{
	const char *file = getenv("FAKEBURN_MOUNTINFO");

	return file && getenv("FAKEBURN_SOCK") && path && !strcmp(path, "/proc/self/mountinfo") ? file : path;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		REAL(int, name, const char *, int, ...); \
		va_list args; \
		va_start(args, flags); \
		mode_t mode = va_arg(args, mode_t); \
		va_end(args); \
		enum node node = drive_name(path, !(flags & O_NOFOLLOW)); \
		return node ? open_drive(node, flags) : real(substitute(path), flags, mode); \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
	int name(int dir, const char *path, int flags, ...) \
	{ \
		REAL(int, name, int, const char *, int, ...); \
		va_list args; \
		va_start(args, flags); \
		mode_t mode = va_arg(args, mode_t); \
		va_end(args); \
		enum node node = drive_at(dir, path, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0); \
		return node ? open_drive(node, flags) : real(dir, substitute(path), flags, mode); \
	}
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags) { return open(path, flags, 0); }
int __open64_2(const char *path, int flags) { return open64(path, flags, 0); }
int __openat_2(int dir, const char *path, int flags) { return openat(dir, path, flags, 0); }
int __openat64_2(int dir, const char *path, int flags) { return openat64(dir, path, flags, 0); }

#define FOPEN(name) \
	FILE *name(const char *path, const char *mode) \
	{ \
		REAL(FILE *, name, const char *, const char *); \
		return real(substitute(path), mode); \
	}
FOPEN(fopen)
FOPEN(fopen64)

int dup(int fd)
{
	REAL(int, dup, int);
	return copy_slot(fd, real(fd));
}

int dup2(int from, int to)
{
	REAL(int, dup2, int, int);
	return copy_slot(from, real(from, to));
}

int dup3(int from, int to, int flags)
{
	REAL(int, dup3, int, int, int);
	return copy_slot(from, real(from, to, flags));
}

#define FCNTL(name) \
	int name(int fd, int command, ...) \
	{ \
		REAL(int, name, int, int, ...); \
		va_list args; \
		va_start(args, command); \
		void *arg = va_arg(args, void *); \
		va_end(args); \
		int result = real(fd, command, arg); \
		return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copy_slot(fd, result) : result; \
	}
FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- what the node looks like --------------------------------------------------------------- */

#define NODE_MODE(node) ((IS_CHAR(node) ? S_IFCHR : S_IFBLK) | 0660)
#define NODE_MAJOR(node) (IS_CHAR(node) ? 21 : 11)
#define NODE_INODE(node) (4711 + UNIT(node))

/* growisofs wants a block device and an equal st_rdev from stat and fstat. */
#define FILL(st, node) \
	do { \
		memset(st, 0, sizeof *(st)); \
		(st)->st_nlink = 1; \
		(st)->st_uid = getuid(); \
		(st)->st_gid = getgid(); \
		(st)->st_ino = NODE_INODE(node); \
		(st)->st_mode = NODE_MODE(node); \
		(st)->st_rdev = makedev(NODE_MAJOR(node), UNIT(node)); \
		(st)->st_blksize = BLOCK; \
	} while (0)

/* A stat function NAME with the parameters PARAMS, whose node is NODE and whose result is in ST. */
#define STAT(name, node_expr, st, params, types, ...) \
	int name params \
	{ \
		REAL(int, name, __VA_ARGS__); \
		enum node node = node_expr; \
		if (!node) { \
			if (real) \
				return real types; \
			errno = ENOSYS; \
			return -1; \
		} \
		FILL(st, node); \
		return 0; \
	}
#define STAT_PATH(name, type, follow) \
	STAT(name, drive_name(path, follow), st, (const char *path, struct type *st), (path, st), \
	     const char *, struct type *)
#define STAT_FD(name, type) \
	STAT(name, drive_fd(fd), st, (int fd, struct type *st), (fd, st), int, struct type *)
#define STAT_AT(name, type) \
	STAT(name, drive_at(dir, path, flags), st, (int dir, const char *path, struct type *st, int flags), \
	     (dir, path, st, flags), int, const char *, struct type *, int)
/* The names of glibc before 2.33, which libburn and growisofs still import. */
#define XSTAT_PATH(name, type, follow) \
	STAT(name, drive_name(path, follow), st, (int version, const char *path, struct type *st), \
	     (version, path, st), int, const char *, struct type *)
#define XSTAT_FD(name, type) \
	STAT(name, drive_fd(fd), st, (int version, int fd, struct type *st), (version, fd, st), \
	     int, int, struct type *)
#define XSTAT_AT(name, type) \
	STAT(name, drive_at(dir, path, flags), st, \
	     (int version, int dir, const char *path, struct type *st, int flags), \
	     (version, dir, path, st, flags), int, int, const char *, struct type *, int)

STAT_PATH(stat, stat, 1)
STAT_PATH(stat64, stat64, 1)
STAT_PATH(lstat, stat, 0)
STAT_PATH(lstat64, stat64, 0)
STAT_FD(fstat, stat)
STAT_FD(fstat64, stat64)
STAT_AT(fstatat, stat)
STAT_AT(fstatat64, stat64)
STAT_AT(newfstatat, stat)
XSTAT_PATH(__xstat, stat, 1)
XSTAT_PATH(__xstat64, stat64, 1)
XSTAT_PATH(__lxstat, stat, 0)
XSTAT_PATH(__lxstat64, stat64, 0)
XSTAT_FD(__fxstat, stat)
XSTAT_FD(__fxstat64, stat64)
XSTAT_AT(__fxstatat, stat)
XSTAT_AT(__fxstatat64, stat64)

int statx(int dir, const char *path, int flags, unsigned mask, struct statx *st)
{
	REAL(int, statx, int, const char *, int, unsigned, struct statx *);
	enum node node = drive_at(dir, path, flags);

	if (!node)
		return real(dir, path, flags, mask, st);
	memset(st, 0, sizeof *st);
	st->stx_mask = STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID | STATX_INO;
	st->stx_nlink = 1;
	st->stx_uid = getuid();
	st->stx_gid = getgid();
	st->stx_ino = NODE_INODE(node);
	st->stx_mode = NODE_MODE(node);
	st->stx_rdev_major = NODE_MAJOR(node);
	st->stx_rdev_minor = UNIT(node);
	st->stx_blksize = BLOCK;
	return 0;
}

int access(const char *path, int mode)
{
	REAL(int, access, const char *, int);
	return drive_name(path, 1) ? 0 : real(path, mode);
}

int faccessat(int dir, const char *path, int mode, int flags)
{
	REAL(int, faccessat, int, const char *, int, int);
	return drive_at(dir, path, flags) ? 0 : real(dir, path, mode, flags);
}

int faccessat2(int dir, const char *path, int mode, int flags)
{
	return faccessat(dir, path, mode, flags);
}

ssize_t readlink(const char *restrict path, char *restrict target, size_t room)
{
	REAL(ssize_t, readlink, const char *, char *, size_t);

	if (!drive_name(path, 0))
		return real(path, target, room);
	errno = EINVAL;
	return -1;
}

ssize_t readlinkat(int dir, const char *restrict path, char *restrict target, size_t room)
{
	REAL(ssize_t, readlinkat, int, const char *, char *, size_t);

	if (!drive_at(dir, path, AT_SYMLINK_NOFOLLOW))
		return real(dir, path, target, room);
	errno = EINVAL;
	return -1;
}

char *realpath(const char *restrict path, char *restrict resolved)
{
	char name[PATH_MAX];
	REAL(char *, realpath, const char *, char *);
	int saved = errno;

	if (!getenv("FAKEBURN_SOCK") || !path || !*path || !resolve(path, name)) {
		errno = saved;
		return real(path, resolved);
	}
	errno = saved;
	return resolved ? strcpy(resolved, name) : strdup(name);
}

char *__realpath_chk(const char *path, char *resolved, size_t room)
{
	(void)room;
	return realpath(path, resolved);
}

char *canonicalize_file_name(const char *path)
{
	return realpath(path, NULL);
}

/* ---- ioctl ---------------------------------------------------------------------------------- */

#define SENSE_KEY(s) ((s)[2] & 15)
#define SENSE_ASC(s) ((s)[12])
#define SENSE_ASCQ(s) ((s)[13])

/* A command that at most reads; 0, or the errno a kernel read would end with. */
static int simple(int fd, const uint8_t *cdb, unsigned cdb_len, void *data, uint32_t length,
                  uint8_t sense[18])
{
	struct command c = { length ? DIR_IN : DIR_NONE, cdb, cdb_len, data, length, sense, 18, 0 };
	struct reply reply;

	if (scsi(fd, MSG_COMMAND, &c, &reply))
		return ENODEV;
	if (!reply.status)
		return 0;
	return SENSE_KEY(sense) == 2 && SENSE_ASC(sense) == 0x3a ? ENOMEDIUM : EIO;
}

/* A kernel that missed an event of the drive takes the disc for as long as it was before. */
static void believed_length(uint64_t *blocks)
{
	const char *path = getenv("FAKEBURN_LENGTH");
	FILE *file = path ? fopen(path, "r") : NULL;
	unsigned long long believed;

	if (!file)
		return;
	if (fscanf(file, "%llu", &believed) == 1 && believed < *blocks)
		*blocks = believed;
	fclose(file);
}

/* READ CAPACITY (MMC-6) at each call: another process may have burnt a session meanwhile. */
static int capacity(int fd, uint64_t *blocks)
{
	const uint8_t cdb[10] = { 0x25 };
	uint8_t data[8] = { 0 }, sense[18];
	int failed = simple(fd, cdb, sizeof cdb, data, sizeof data, sense);

	*blocks = failed ? 0 : 1 + (uint64_t)((uint32_t)data[0] << 24 | data[1] << 16 | data[2] << 8 | data[3]);
	believed_length(blocks);
	return failed;
}

static int drive_status(int fd)
{
	const uint8_t test_unit_ready[6] = { 0 };
	uint8_t sense[18] = { 0 };
	int failed = simple(fd, test_unit_ready, sizeof test_unit_ready, NULL, 0, sense);

	if (failed == ENODEV) {
		errno = failed;
		return -1;
	}
	if (failed == ENOMEDIUM)
		return SENSE_ASCQ(sense) == 2 ? CDS_TRAY_OPEN : CDS_NO_DISC;
	return failed && SENSE_KEY(sense) == 2 ? CDS_DRIVE_NOT_READY : CDS_DISC_OK;
}

static int disc_status(int fd)
{
	const uint8_t read_toc[10] = { 0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0 };
	uint8_t data[12], sense[18];
	int failed = simple(fd, read_toc, sizeof read_toc, data, sizeof data, sense);

	return failed == ENOMEDIUM ? CDS_NO_DISC : failed ? CDS_NO_INFO : CDS_DATA_1;
}

static int move_tray(int fd, int eject)
{
	const uint8_t start_stop[6] = { 0x1b, 0, 0, 0, eject ? 2 : 3, 0 };
	uint8_t sense[18];
	int failed = simple(fd, start_stop, sizeof start_stop, NULL, 0, sense);

	errno = failed;
	return failed ? -1 : 0;
}

/* SG_IO, sg_io_hdr version 3 (linux: Documentation/scsi/scsi-generic, scsi/sg.h). */
static int sg_io(int fd, sg_io_hdr_t *h)
{
	struct command c = { .cdb = h->cmdp, .cdb_len = h->cmd_len, .data = h->dxferp };
	struct reply reply;

	if (h->interface_id != 'S') {
		errno = ENOSYS;
		return -1;
	}
	c.direction = h->dxfer_direction == SG_DXFER_TO_DEV ? DIR_OUT : DIR_IN;
	if (h->dxfer_direction == SG_DXFER_NONE)
		c.direction = DIR_NONE;
	c.length = c.direction == DIR_NONE ? 0 : h->dxfer_len;
	c.sense = h->sbp;
	c.sense_room = h->sbp ? h->mx_sb_len : 0;
	if (scsi(fd, MSG_COMMAND, &c, &reply))
		return -1;
	h->status = reply.status;
	h->masked_status = reply.status >> 1 & 0x1f;
	h->host_status = reply.host;
	h->driver_status = reply.driver;
	h->sb_len_wr = reply.sense_len;
	h->msg_status = 0;
	h->duration = 1;
	h->resid = c.direction == DIR_IN ? (int)(h->dxfer_len - c.got) : 0;
	h->info = reply.status || reply.host || reply.driver ? SG_INFO_CHECK : SG_INFO_OK;
	return 0;
}

static int sg_scsi_id(int fd, struct sg_scsi_id *id)
{
	if (!IS_CHAR(drive_fd(fd))) {
		errno = ENOTTY;
		return -1;
	}
	memset(id, 0, sizeof *id);
	id->host_no = 9;
	id->scsi_type = 5;
	return 0;
}

static int block_size_ioctl(int fd, unsigned long request, void *arg)
{
	uint64_t blocks;

	capacity(fd, &blocks);
	if (request == BLKGETSIZE64)
		*(uint64_t *)arg = blocks * BLOCK;
	else
		*(unsigned long *)arg = blocks * (BLOCK / 512);
	return 0;
}

static int drive_ioctl(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case SG_IO:
		return sg_io(fd, arg);
	case SG_GET_SCSI_ID:
		return sg_scsi_id(fd, arg);
	case SCSI_IOCTL_GET_IDLUN:	/* libburn refuses a drive that does not answer it */
		((int *)arg)[0] = 9 << 24;
		((int *)arg)[1] = 9;
		return 0;
	case SCSI_IOCTL_GET_BUS_NUMBER:
		*(int *)arg = 9;
		return 0;
	case SG_GET_VERSION_NUM:
		*(int *)arg = 30536;
		return 0;
	case SG_GET_RESERVED_SIZE:
		*(int *)arg = 65536;
		return 0;
	case SG_EMULATED_HOST:
		*(int *)arg = 0;
		return 0;
	case SG_GET_TIMEOUT:
		return 6000;
	case SG_SET_TIMEOUT:
	case SG_SET_RESERVED_SIZE:
	case SG_SET_FORCE_LOW_DMA:
	case SG_NEXT_CMD_LEN:
	case BLKFLSBUF:
	case CDROM_LOCKDOOR:
	case CDROM_MEDIA_CHANGED:
		return 0;
	case CDROM_GET_CAPABILITY:
		return 0x3fff7f;
	case CDROM_DRIVE_STATUS:
		return drive_status(fd);
	case CDROM_DISC_STATUS:
		return disc_status(fd);
	case CDROMEJECT:
		return move_tray(fd, 1);
	case CDROMCLOSETRAY:
		return move_tray(fd, 0);
	case BLKGETSIZE64:
	case BLKGETSIZE:
		return block_size_ioctl(fd, request, arg);
	case BLKSSZGET:
		*(int *)arg = BLOCK;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	REAL(int, ioctl, int, unsigned long, ...);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	return drive_fd(fd) ? drive_ioctl(fd, request, arg) : real(fd, request, arg);
}

/* ---- plain reads, as the kernel's sr driver serves them ------------------------------------- */

static int fail(int error)
{
	errno = error;
	return -1;
}

/* One READ(10) (MMC-6) of at most READ_BLOCKS blocks from FIRST on; 0 or an errno. */
static int read_blocks(int fd, uint32_t first, unsigned count, uint8_t *buf)
{
	uint8_t sense[18];
	uint8_t cdb[10] = { 0x28, 0, first >> 24, first >> 16, first >> 8, first, 0, count >> 8, count, 0 };

	return simple(fd, cdb, sizeof cdb, buf, count * BLOCK, sense);
}

/* Bytes read at AT: fewer than WANT at the end of the medium; any bad block fails the whole read. */
static ssize_t read_at(int fd, char *buf, size_t want, off_t at)
{
	uint8_t blocks[READ_BLOCKS * BLOCK];
	uint64_t end;
	size_t done = 0;
	int failed = capacity(fd, &end);

	if (failed)
		return fail(failed == ENODEV ? ENODEV : EIO);
	if (at < 0 || ((slots[fd].flags & O_DIRECT) && (at % BLOCK || want % BLOCK || (uintptr_t)buf % BLOCK)))
		return fail(EINVAL);
	end *= BLOCK;
	if ((uint64_t)at >= end)
		return 0;
	if (want > end - at)
		want = end - at;
	while (done < want) {
		uint32_t first = (at + done) / BLOCK, skip = (at + done) % BLOCK;
		size_t count = (skip + want - done + BLOCK - 1) / BLOCK, part;

		if (count > READ_BLOCKS)
			count = READ_BLOCKS;
		failed = read_blocks(fd, first, count, blocks);
		if (failed)
			return fail(failed == ENODEV ? ENODEV : EIO);
		part = count * BLOCK - skip;
		if (part > want - done)
			part = want - done;
		memcpy(buf + done, blocks + skip, part);
		done += part;
	}
	return done;
}

static ssize_t readv_at(int fd, const struct iovec *iov, int count, off_t at)
{
	ssize_t total = 0;

	for (int i = 0; i < count; i++) {
		ssize_t got = read_at(fd, iov[i].iov_base, iov[i].iov_len, at + total);

		if (got < 0)
			return -1;
		total += got;
		if ((size_t)got < iov[i].iov_len)
			break;
	}
	return total;
}

static ssize_t advance(int fd, ssize_t got)
{
	if (got > 0)
		slots[fd].position += got;
	return got;
}

ssize_t read(int fd, void *buf, size_t want)
{
	REAL(ssize_t, read, int, void *, size_t);
	return drive_fd(fd) ? advance(fd, read_at(fd, buf, want, slots[fd].position)) : real(fd, buf, want);
}

ssize_t __read_chk(int fd, void *buf, size_t want, size_t room)
{
	if (want > room)
		abort();
	return read(fd, buf, want);
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
	REAL(ssize_t, readv, int, const struct iovec *, int);
	return drive_fd(fd) ? advance(fd, readv_at(fd, iov, count, slots[fd].position)) : real(fd, iov, count);
}

#define PREAD(name, type) \
	ssize_t name(int fd, void *buf, size_t want, type at) \
	{ \
		REAL(ssize_t, name, int, void *, size_t, type); \
		return drive_fd(fd) ? read_at(fd, buf, want, at) : real(fd, buf, want, at); \
	} \
	ssize_t __##name##_chk(int fd, void *buf, size_t want, type at, size_t room) \
	{ \
		if (want > room) \
			abort(); \
		return name(fd, buf, want, at); \
	}
PREAD(pread, off_t)
PREAD(pread64, off64_t)

#define PREADV(name, type) \
	ssize_t name(int fd, const struct iovec *iov, int count, type at) \
	{ \
		REAL(ssize_t, name, int, const struct iovec *, int, type); \
		return drive_fd(fd) ? readv_at(fd, iov, count, at) : real(fd, iov, count, at); \
	}
PREADV(preadv, off_t)
PREADV(preadv64, off64_t)

#define PREADV2(name, type) \
	ssize_t name(int fd, const struct iovec *iov, int count, type at, int flags) \
	{ \
		REAL(ssize_t, name, int, const struct iovec *, int, type, int); \
		if (!drive_fd(fd)) \
			return real(fd, iov, count, at, flags); \
		return at == -1 ? readv(fd, iov, count) : readv_at(fd, iov, count, at); \
	}
PREADV2(preadv2, off_t)
PREADV2(preadv64v2, off64_t)

#define LSEEK(name, type) \
	type name(int fd, type offset, int whence) \
	{ \
		REAL(type, name, int, type, int); \
		uint64_t end = 0; \
		if (!drive_fd(fd)) \
			return real(fd, offset, whence); \
		if (whence == SEEK_CUR) \
			offset += slots[fd].position; \
		if (whence == SEEK_END) { \
			capacity(fd, &end); \
			offset += end * BLOCK; \
		} \
		return offset < 0 ? fail(EINVAL) : (slots[fd].position = offset); \
	}
LSEEK(lseek, off_t)
LSEEK(lseek64, off64_t)

/* Plain writes would run into the message stream; sr gives EROFS for what is no DVD-RAM or +RW. */
ssize_t write(int fd, const void *buf, size_t len)
{
	REAL(ssize_t, write, int, const void *, size_t);
	return drive_fd(fd) ? fail(EROFS) : real(fd, buf, len);
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);
	return drive_fd(fd) ? fail(EROFS) : real(fd, iov, count);
}

/* ---- calls that a socket refuses and a drive takes ------------------------------------------ */

#define HARMLESS_SYNC(name) \
	int name(int fd) \
	{ \
		REAL(int, name, int); \
		return drive_fd(fd) ? 0 : real(fd); \
	}
HARMLESS_SYNC(fsync)
HARMLESS_SYNC(fdatasync)

#define HARMLESS_ADVICE(name, type) \
	int name(int fd, type offset, type len, int advice) \
	{ \
		REAL(int, name, int, type, type, int); \
		return drive_fd(fd) ? 0 : real(fd, offset, len, advice); \
	}
HARMLESS_ADVICE(posix_fadvise, off_t)
HARMLESS_ADVICE(posix_fadvise64, off64_t)

#define DEVTMPFS_MAGIC 0x01021994	/* devtmpfs shows the magic of tmpfs */
#define HARMLESS_STATFS(name, type) \
	int name(int fd, struct type *st) \
	{ \
		REAL(int, name, int, struct type *); \
		if (!drive_fd(fd)) \
			return real(fd, st); \
		memset(st, 0, sizeof *st); \
		st->f_type = DEVTMPFS_MAGIC; \
		st->f_bsize = 4096; \
		return 0; \
	}
HARMLESS_STATFS(fstatfs, statfs)
HARMLESS_STATFS(fstatfs64, statfs64)

/* ---- the time of the burn programs ---------------------------------------------------------- */

/* The number in the variable NAME, in a burn program that sees a drive; -1 where there is none. */
static int64_t set_for_burning(const char *name)
{
	static const char *const burn_programs[] = { "xorriso", "osirrox", "growisofs", "wodim" };
	const char *value = getenv(name);

	if (!value || !getenv("FAKEBURN_SOCK"))
		return -1;
	for (size_t i = 0; i < sizeof burn_programs / sizeof *burn_programs; i++)
		if (!strcmp(program_invocation_short_name, burn_programs[i]))
			return atoll(value);
	return -1;
}

/* libburn waits 0.5 s at each of several fixed points; nothing a drive answers can shorten that. */
static int64_t sleep_cap_ns(void)
{
	int64_t cap = set_for_burning("FAKEBURN_MAXSLEEP");

	return cap < 0 ? INT64_MAX : cap * 1000;
}

static int capped(const struct timespec *asked, struct timespec *cut)
{
	int64_t cap = sleep_cap_ns();

	if (!asked || cap == INT64_MAX || asked->tv_sec * INT64_C(1000000000) + asked->tv_nsec <= cap)
		return 0;
	cut->tv_sec = cap / 1000000000;
	cut->tv_nsec = cap % 1000000000;
	return 1;
}

int nanosleep(const struct timespec *asked, struct timespec *left)
{
	REAL(int, nanosleep, const struct timespec *, struct timespec *);
	struct timespec cut;
	return real(capped(asked, &cut) ? &cut : asked, left);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *asked, struct timespec *left)
{
	REAL(int, clock_nanosleep, clockid_t, int, const struct timespec *, struct timespec *);
	struct timespec cut;
	return real(clock, flags, !(flags & TIMER_ABSTIME) && capped(asked, &cut) ? &cut : asked, left);
}

int usleep(useconds_t microseconds)
{
	struct timespec asked = { microseconds / 1000000, microseconds % 1000000 * 1000L };
	return nanosleep(&asked, NULL);
}

unsigned sleep(unsigned seconds)
{
	struct timespec asked = { seconds, 0 }, left = { 0, 0 };
	return nanosleep(&asked, &left) ? (unsigned)left.tv_sec : 0;
}

struct lingering {
	void *(*work)(void *);
	void *arg;
	int64_t ms;
};

static void *linger(void *arg)
{
	struct lingering own = *(struct lingering *)arg;
	struct timespec more = { own.ms / 1000, own.ms % 1000 * 1000000 };
	void *result;

	free(arg);
	result = own.work(own.arg);
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &more, NULL);
	return result;
}

/* xorriso has two threads wait for one; what comes of it shows while that one takes time to end. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *arg)
{
	REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	int64_t ms = set_for_burning("FAKEBURN_LINGER");
	struct lingering *own = ms > 0 ? malloc(sizeof *own) : NULL;
	int failed;

	if (!own)
		return real(thread, attributes, work, arg);
	*own = (struct lingering){ work, arg, ms };
	failed = real(thread, attributes, linger, own);
	if (failed)
		free(own);
	return failed;
}
