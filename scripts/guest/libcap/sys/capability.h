/* SPDX-License-Identifier: GPL-2.0 */
/*
 * As much of libcap as the base's selftests use, so that no architecture needs the
 * library. One of them writes to the structure behind cap_t: it must be this one.
 */
#ifndef SYS_CAPABILITY_H
#define SYS_CAPABILITY_H

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct {
	struct __user_cap_header_struct hdr;
	struct __user_cap_data_struct data[2];
} *cap_t;

typedef int cap_value_t;
typedef enum { CAP_EFFECTIVE, CAP_PERMITTED, CAP_INHERITABLE } cap_flag_t;
typedef enum { CAP_CLEAR, CAP_SET } cap_flag_value_t;

static inline cap_t cap_get_proc(void)
{
	cap_t cap = calloc(1, sizeof(*cap));

	if (!cap)
		return NULL;
	cap->hdr.version = _LINUX_CAPABILITY_VERSION_3;
	if (!syscall(SYS_capget, &cap->hdr, cap->data))
		return cap;
	free(cap);
	return NULL;
}

static inline int cap_set_proc(cap_t cap)
{
	return syscall(SYS_capset, &cap->hdr, cap->data);
}

static inline int cap_free(void *cap)
{
	free(cap);
	return 0;
}

static inline int cap_clear(cap_t cap)
{
	memset(cap->data, 0, sizeof(cap->data));
	return 0;
}

static inline __u32 *cap_word(cap_t cap, cap_flag_t flag, int i)
{
	switch (flag) {
	case CAP_EFFECTIVE:
		return &cap->data[i].effective;
	case CAP_PERMITTED:
		return &cap->data[i].permitted;
	default:
		return &cap->data[i].inheritable;
	}
}

static inline int cap_clear_flag(cap_t cap, cap_flag_t flag)
{
	*cap_word(cap, flag, 0) = 0;
	*cap_word(cap, flag, 1) = 0;
	return 0;
}

static inline int cap_set_flag(cap_t cap, cap_flag_t flag, int nr,
			       const cap_value_t *caps, cap_flag_value_t value)
{
	for (int i = 0; i < nr; i++) {
		__u32 *word = cap_word(cap, flag, caps[i] / 32);

		if (value == CAP_SET)
			*word |= 1U << caps[i] % 32;
		else
			*word &= ~(1U << caps[i] % 32);
	}
	return 0;
}

#endif
