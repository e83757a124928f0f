/* SPDX-License-Identifier: MIT */
/*
 * listns(2) for programs that are compiled with older headers or C libraries, and
 * that run on older kernels, too. One file, to be copied; it needs nothing else.
 *
 *	struct listns_iter it;
 *	__u64 id;
 *
 *	listns_start(&it, NET_NS, 0);
 *	while (listns_next(&it, &id) > 0) {
 *		int fd = listns_open(id);
 *		...
 *	}
 *	if (it.error)
 *		errx(1, "%s", listns_why(it.error));
 *
 * Nothing is kept between the calls but the iterator itself: there is nothing to
 * release, and the loop can be left at any time.
 */
#ifndef LISTNS_H
#define LISTNS_H

/* Have __u64 be unsigned long long everywhere, if this comes first. */
#ifndef __SANE_USERSPACE_TYPES__
#define __SANE_USERSPACE_TYPES__
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/types.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef __NR_listns
#if defined __alpha__
#define __NR_listns 580
/* mips: o32, n32 and n64 */
#elif defined _ABIO32 && _MIPS_SIM == _ABIO32
#define __NR_listns 4470
#elif defined _ABIN32 && _MIPS_SIM == _ABIN32
#define __NR_listns 6470
#elif defined _ABI64 && _MIPS_SIM == _ABI64
#define __NR_listns 5470
/* x32 */
#elif defined __x86_64__ && defined __ILP32__
#define __NR_listns (0x40000000 + 470)
#else
#define __NR_listns 470
#endif
#endif

#ifndef NS_ID_REQ_SIZE_VER0
#define NS_ID_REQ_SIZE_VER0 32 /* sizeof first published struct */

struct ns_id_req {
	__u32 size;
	__u32 spare;		/* 0 */
	__u64 ns_id;		/* last id that is known, 0 to start */
	__u32 ns_type;		/* OR of enum ns_type, 0 for all */
	__u32 spare2;		/* 0 */
	__u64 user_ns_id;	/* id of the owner, 0 for any */
};

#define LISTNS_CURRENT_USER 0xffffffffffffffffULL

/* Macros, as a kernel may have fixed ids without listns(). */
#define IPC_NS_INIT_ID		1
#define UTS_NS_INIT_ID		2
#define USER_NS_INIT_ID		3
#define PID_NS_INIT_ID		4
#define CGROUP_NS_INIT_ID	5
#define TIME_NS_INIT_ID		6
#define NET_NS_INIT_ID		7
#define MNT_NS_INIT_ID		8

/* The values of the CLONE_NEW* flags. */
enum ns_type {
	TIME_NS			= 1U << 7,
	MNT_NS			= 1U << 17,
	CGROUP_NS		= 1U << 25,
	UTS_NS			= 1U << 26,
	IPC_NS			= 1U << 27,
	USER_NS			= 1U << 28,
	PID_NS			= 1U << 29,
	NET_NS			= 1U << 30,
};
#endif

/* The id of the namespace that a file refers to */
#ifndef NS_GET_ID
#define NS_GET_ID _IOR(NSIO, 13, __u64)
#endif

#ifndef NSFS_FILE_HANDLE_SIZE_VER0
#define NSFS_FILE_HANDLE_SIZE_VER0 16 /* sizeof first published struct */

struct nsfs_file_handle {
	__u64 ns_id;
	__u32 ns_type;
	__u32 ns_inum;
};
#endif

#ifndef FD_NSFS_ROOT
#define FD_NSFS_ROOT -10003 /* Root of the nsfs filesystem */
#endif

/* The type of a file handle of a namespace. The kernel has it as FILEID_NSFS. */
#define LISTNS_HANDLE_TYPE 0xf1

/* A struct file_handle of a namespace */
struct listns_handle {
	__u32 handle_bytes;
	__s32 handle_type;
	struct nsfs_file_handle ns;
};

/* The call itself; -1 and errno, as from a C library that has it */
static inline ssize_t listns_call(const struct ns_id_req *req, __u64 *ids, size_t nr,
				  unsigned int flags)
{
	return syscall(__NR_listns, req, ids, nr, flags);
}

#ifndef LISTNS_PAGE_IDS
#define LISTNS_PAGE_IDS 512
#endif

struct listns_iter {
	struct ns_id_req req;
	int error;		/* of the listing, or 0 */
	unsigned int next, nr;	/* of the ids in this page */
	__u64 ids[LISTNS_PAGE_IDS];
};

/*
 * List namespaces of these types (0: all) that the user namespace with this id owns
 * directly (0: anyone, LISTNS_CURRENT_USER: that of the caller).
 */
static inline void listns_start(struct listns_iter *it, __u32 types, __u64 owner)
{
	memset(&it->req, 0, sizeof(it->req));
	it->req.size = NS_ID_REQ_SIZE_VER0;
	it->req.ns_type = types;
	it->req.user_ns_id = owner;
	it->error = 0;
	it->next = 0;
	it->nr = 0;
}

/*
 * Get the next id, each larger than the one before. Returns 1, or 0 for no more, or
 * -1 with the error in it->error and in errno. A page that is not full is not the
 * end; only an empty one is. Linux 7.1 has ENOENT for that where it lists by type
 * or by owner.
 */
static inline int listns_next(struct listns_iter *it, __u64 *id)
{
	if (it->next == it->nr) {
		ssize_t nr = listns_call(&it->req, it->ids, LISTNS_PAGE_IDS, 0);

		it->next = 0;
		it->nr = 0;
		if (nr < 0 && errno != ENOENT) {
			it->error = errno;
			return -1;
		}
		if (nr <= 0)
			return 0;
		it->nr = nr;
		/* The next page starts after the last id of this one. */
		it->req.ns_id = it->ids[nr - 1];
	}
	*id = it->ids[it->next++];
	return 1;
}

/*
 * Open a namespace by its id, for setns(), fstat() or an ioctl. Returns a descriptor,
 * or -1. ESTALE: it is gone, or the caller may not see it, which look the same.
 */
static inline int listns_open(__u64 id)
{
	struct listns_handle handle;

	memset(&handle, 0, sizeof(handle));
	handle.handle_bytes = sizeof(handle.ns);
	handle.handle_type = LISTNS_HANDLE_TYPE;
	handle.ns.ns_id = id;	/* which is enough: type and inode may be 0 */
	return syscall(__NR_open_by_handle_at, FD_NSFS_ROOT, &handle, O_RDONLY | O_CLOEXEC);
}

/*
 * Does listns() work here? 0, or the error. Ask this and not for the version: there
 * are kernels older than 6.19 that have the call, and filters that forbid it on newer
 * ones. Every caller has namespaces that it may see.
 */
static inline int listns_check(void)
{
	struct ns_id_req req;
	__u64 id;

	memset(&req, 0, sizeof(req));
	req.size = NS_ID_REQ_SIZE_VER0;
	return listns_call(&req, &id, 1, 0) < 0 ? errno : 0;
}

/* What an error of listns() means, for people */
static inline const char *listns_why(int error)
{
	switch (error) {
	case ENOSYS:
		return "this kernel has no listns(), or a seccomp filter says so";
	/* The call itself never says that. */
	case EPERM:
	case EACCES:
		return "listns() is refused by a seccomp filter, such as a container has";
	case EINVAL:
		return "the owner is not a user namespace that the caller may list by";
	case EOPNOTSUPP:
		return "this kernel does not know all of these types";
	}
	return strerror(error);
}

#endif /* LISTNS_H */
