// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the guest, and nearly all there is in it: no shell, udev or network.
 *
 * scripts/boot.sh says what to do with words on the kernel command line, which
 * the kernel hands on as environment:
 *
 *   NS_MODE    test, base, soak, run, bench or shell
 *   NS_NONCE   proves in the end line that the report is of this boot
 *   NS_TEST    only this one: [collection:]program[:case]
 *   NS_COUNT   soak: how often
 *   NS_FACTOR  how much slower than real hardware this machine is
 *   NS_PLANT   misbehave on purpose (scripts/test-harness.sh --boot)
 *   NS_TTY     shell: the terminal; NS_ROWS and NS_COLS its size
 *
 * The report is one KTAP document on a virtio port named "report". The output of
 * the programs goes there only, so that the console holds what the kernel says
 * and nothing else. The end line comes after everything that can go wrong.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIST		"/tests"	/* collection:program path [results [argument]] */
#define SAMPLE		"/list-namespaces"
#define BENCH		"/bench"
#define BUSYBOX		"/bin/busybox"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

#define DEFAULT_TIMEOUT	45		/* seconds, as kselftest's runner */
#define BASE_TIMEOUT	90		/* for who waits 30 seconds when all is well */
#define HEARTBEAT	20		/* seconds between signs of life */
#define EXIT_SKIP	4		/* KSFT_SKIP */
#define MAX_PROGRAMS	256
#define MAX_LINE	2048

struct program {
	char	*name;			/* collection:program */
	char	*path;
	unsigned int enough;		/* results, after which it is killed, or 0 */
	char	*arg;			/* or NULL */
};

/* What became of one run of a program. */
struct result {
	int		status;		/* as of wait() */
	int		timeout;	/* the limit, if it was exceeded */
	unsigned int	lines;
	bool		planned;
	unsigned int	plan;
	unsigned int	cases;
	unsigned int	failed;
	unsigned int	skipped;
	char		skip[256];	/* why everything was skipped */
};

/* Where the output of a program goes. */
enum output {
	OUTPUT_REPORT,			/* nested in the report */
	OUTPUT_KEEP,			/* there as well, but only on failure */
	OUTPUT_CONSOLE,			/* for people: the console */
};

static struct program programs[MAX_PROGRAMS];
static unsigned int nr_programs;
static int report_fd = -1;
static int kmsg_fd = -1;
static int sigchld_fd = -1;
static unsigned int factor = 1;
static bool base_mode;			/* the base's own selftests: see main() */
static char unhealthy[512];
static bool silent;			/* no output while a program runs */

/* The part of the output that OUTPUT_KEEP holds back. */
static char kept[256 << 10];
static size_t nr_kept;

static const char *param(const char *name, const char *fallback)
{
	const char *val = getenv(name);

	return val && *val ? val : fallback;
}

static void write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		buf += n;
		len -= n;
	}
}

/* A line of our own in the kernel's log: shows on the console what went on. */
__attribute__((format(printf, 1, 2)))
static void note(const char *fmt, ...)
{
	char buf[MAX_LINE];
	va_list ap;
	int len;

	len = snprintf(buf, sizeof(buf), "<4>init: ");
	va_start(ap, fmt);
	len += vsnprintf(buf + len, sizeof(buf) - len, fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(buf) - 1)
		len = sizeof(buf) - 2;
	/* Without it, the kernel waits for what comes next. */
	strcpy(buf + len++, "\n");
	if (kmsg_fd >= 0)
		write_all(kmsg_fd, buf, len);
	else
		fputs(buf + 3, stderr);
}

__attribute__((format(printf, 1, 2)))
static void report(const char *fmt, ...)
{
	char buf[2 * MAX_LINE];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(buf))
		len = sizeof(buf) - 1;
	write_all(report_fd, buf, len);
}

static void __attribute__((noreturn)) restart(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

/* No end line: the host sees a guest that was lost, and why on the console. */
__attribute__((noreturn, format(printf, 1, 2)))
static void give_up(const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	note("giving up: %s: %s", buf, strerror(errno));
	restart();
}

__attribute__((format(printf, 1, 2)))
static void sick(const char *fmt, ...)
{
	size_t len = strlen(unhealthy);
	va_list ap;

	if (len)
		len += snprintf(unhealthy + len, sizeof(unhealthy) - len, "; ");
	if (len >= sizeof(unhealthy))
		return;
	va_start(ap, fmt);
	vsnprintf(unhealthy + len, sizeof(unhealthy) - len, fmt, ap);
	va_end(ap);
}

/* The start of a small file as a string; -1 if there is no such file. */
static ssize_t read_file(const char *path, char *buf, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -1;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return n;
}

static bool write_file(const char *path, const char *val)
{
	ssize_t n;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, val, strlen(val));
	close(fd);
	return n == (ssize_t)strlen(val);
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/*
 * A root like that of a real system: a mount on top of the initramfs. listmount() of
 * v6.18 takes it for granted, for one.
 */
static void mount_root(void)
{
	mkdir("/root", 0755);
	if (mount("/", "/root", NULL, MS_BIND, NULL) || chdir("/root") ||
	    mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		give_up("mount /");
}

static void mount_all(void)
{
	static const struct {
		const char *type, *dir, *opts;
		bool optional;
	} table[] = {
		{ "proc",	"/proc" },
		{ "sysfs",	"/sys" },
		{ "devtmpfs",	"/dev",		"mode=0755" },
		{ "tmpfs",	"/tmp",		"mode=1777" },
		{ "tmpfs",	"/dev/shm",	"mode=1777" },
		{ "devpts",	"/dev/pts",	NULL,		true },
		{ "mqueue",	"/dev/mqueue",	NULL,		true },
		{ "cgroup2",	"/sys/fs/cgroup", NULL,		true },
		{ "debugfs",	"/sys/kernel/debug", NULL,	true },
		{ "securityfs",	"/sys/kernel/security", NULL,	true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		mkdir(table[i].dir, 0755);
		if (mount(table[i].type, table[i].dir, table[i].type,
			  MS_NOSUID | MS_NOEXEC * !strcmp(table[i].type, "proc"),
			  table[i].opts) && !table[i].optional)
			give_up("mount %s", table[i].dir);
	}
}

/* The port appears when the driver has talked to the device: wait for it. */
static int open_report(void)
{
	long long deadline = now_ms() + 10000LL * factor;

	do {
		DIR *dir = opendir("/sys/class/virtio-ports");
		struct dirent *d;
		char path[PATH_MAX], name[64];
		int fd = -1;

		while (dir && fd < 0 && (d = readdir(dir))) {
			snprintf(path, sizeof(path),
				 "/sys/class/virtio-ports/%s/name", d->d_name);
			if (read_file(path, name, sizeof(name)) < 0 ||
			    strcmp(name, "report"))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, O_WRONLY | O_CLOEXEC);
		}
		if (dir)
			closedir(dir);
		if (fd >= 0)
			return fd;
		usleep(20000);
	} while (now_ms() < deadline);

	return -1;
}

/* Limits meant for real hardware, where the kernel has them. */
static void scale_limits(void)
{
	static const struct {
		const char *path;
		unsigned int secs, max;
	} table[] = {
		{ "/proc/sys/kernel/hung_task_timeout_secs",	60, 3600 },
		{ "/proc/sys/kernel/watchdog_thresh",		20, 60 },
	};
	char val[16];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsigned int secs = table[i].secs * factor;

		snprintf(val, sizeof(val), "%u",
			 secs < table[i].max ? secs : table[i].max);
		write_file(table[i].path, val);
	}
}

/*
 * Faults are injected where a task asks for it through /proc/self/fail-nth: into
 * ordinary allocations as well, and without a stack trace each.
 */
static void enable_faults(void)
{
	static const char *const table[][2] = {
		{ "failslab/ignore-gfp-wait",		"N" },
		{ "failslab/verbose",			"0" },
		{ "fail_page_alloc/ignore-gfp-wait",	"N" },
		{ "fail_page_alloc/min-order",		"0" },
		{ "fail_page_alloc/verbose",		"0" },
	};
	char path[128];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s", table[i][0]);
		write_file(path, table[i][1]);
	}
}

/* Reap whatever has died. True, with its status, if @pid is among it. */
static bool reap(pid_t pid, int *status)
{
	bool found = false;
	int st;
	pid_t p;

	while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
		if (p == pid) {
			*status = st;
			found = true;
		}
	}
	return found;
}

/* After a time-out: who hangs, and where in the kernel. */
static void report_processes(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char path[PATH_MAX], stat[512], where[128] = "";
		char *comm, *rest, state;
		unsigned int flags;
		int ppid;

		if (!isdigit(d->d_name[0]) || !strcmp(d->d_name, "1"))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", d->d_name);
		if (read_file(path, stat, sizeof(stat)) < 0)
			continue;
		comm = strchr(stat, '(');
		rest = strrchr(stat, ')');
		if (!comm || !rest ||
		    sscanf(rest, ") %c %d %*d %*d %*d %*d %u", &state, &ppid,
			   &flags) != 3 || (flags & 0x00200000 /* PF_KTHREAD */))
			continue;
		rest[1] = '\0';
		snprintf(path, sizeof(path), "/proc/%s/wchan", d->d_name);
		if (read_file(path, where, sizeof(where)) <= 0)
			strcpy(where, "?");
		report("  # pid %s %s, child of %d, state %c in %s\n", d->d_name,
		       comm, ppid, state, where);
	}
	if (dir)
		closedir(dir);
}

/* Nothing of one program may live on beside the next. */
static void kill_all(pid_t pid, int *status)
{
	long long deadline = now_ms() + 10000LL * factor;
	int st;
	pid_t p;

	do {
		kill(-1, SIGKILL);
		while ((p = waitpid(-1, &st, WNOHANG)) > 0) {
			if (p == pid && status)
				*status = st;
		}
		if (p < 0 && errno == ECHILD)
			return;
		usleep(5000);
	} while (now_ms() < deadline);

	report_processes();
	sick("a process cannot be killed");
}

static void keep(const char *buf, size_t len)
{
	if (len > sizeof(kept) - nr_kept)
		len = sizeof(kept) - nr_kept;
	memcpy(kept + nr_kept, buf, len);
	nr_kept += len;
}

/* One line of output: count what it says, and pass it on. */
static void take_line(struct result *res, enum output output, char *line,
		      size_t len)
{
	char out[MAX_LINE + 8];
	char *at;
	int n;

	line[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			line[i] = '?';
	}
	res->lines++;

	if (!res->planned && sscanf(line, "1..%u", &res->plan) == 1) {
		res->planned = true;
		at = strstr(line, "# SKIP");
		if (at)
			snprintf(res->skip, sizeof(res->skip), "%s", at + 6);
	} else if (!strncmp(line, "ok ", 3) || !strncmp(line, "not ok ", 7)) {
		res->cases++;
		res->failed += line[0] == 'n';
		at = strstr(line, "# SKIP");
		if (at) {
			res->skipped++;
			snprintf(res->skip, sizeof(res->skip), "%s", at + 6);
		}
	}

	if (output == OUTPUT_CONSOLE) {
		n = snprintf(out, sizeof(out), "%s\n", line);
		write_all(STDOUT_FILENO, out, n);
		return;
	}
	n = snprintf(out, sizeof(out), "  %s\n", line);
	if (output == OUTPUT_KEEP)
		keep(out, n);
	else
		write_all(report_fd, out, n);
}

/* kselftest's settings file beside the program: timeout=SECONDS, 0 for none. */
static int time_limit(const char *path)
{
	char name[PATH_MAX], buf[64];
	int limit = base_mode ? BASE_TIMEOUT : DEFAULT_TIMEOUT;
	FILE *f;

	snprintf(name, sizeof(name), "%.*s/settings",
		 (int)(strrchr(path, '/') - path), path);
	f = fopen(name, "re");
	if (f) {
		while (fgets(buf, sizeof(buf), f))
			sscanf(buf, "timeout=%d", &limit);
		fclose(f);
	}
	return limit * factor;
}

static pid_t spawn(const char *path, char *const argv[], int out)
{
	static char *const envp[] = {
		"PATH=/bin", "HOME=/", "TMPDIR=/tmp", "TERM=linux",
		"DURATION=1",		/* the base's proc-maps-race: not 5 s a case */
		NULL
	};
	sigset_t none;
	pid_t pid;
	char *dir;

	pid = fork();
	if (pid)
		return pid;

	/* A session, and with it a process group, of its own. */
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (out >= 0) {
		int null = open("/dev/null", O_RDONLY);

		dup2(null, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	dir = strdup(path);
	*strrchr(dir, '/') = '\0';
	if (chdir(*dir ? dir : "/"))
		_exit(126);
	execve(path, argv, envp);
	dprintf(STDERR_FILENO, "# cannot execute %s: %s\n", path, strerror(errno));
	_exit(127);
}

/* @enough: the number of results after which it need not go on, or 0. */
static void run_program(const char *path, char *const argv[], int limit,
			unsigned int enough, enum output output,
			struct result *res)
{
	long long start = now_ms(), beat = start + HEARTBEAT * 1000LL;
	long long deadline = start + limit * 1000LL;
	char line[MAX_LINE + 1], buf[4096];
	bool dead = false, open_end = true;
	size_t len = 0;
	int pipefd[2];
	pid_t pid;

	memset(res, 0, sizeof(*res));
	nr_kept = 0;
	if (pipe2(pipefd, O_CLOEXEC))
		give_up("pipe");
	pid = spawn(path, argv, pipefd[1]);
	if (pid < 0)
		give_up("fork");
	close(pipefd[1]);

	while (open_end) {
		struct pollfd pfd[2] = {
			{ .fd = pipefd[0], .events = POLLIN },
			{ .fd = sigchld_fd, .events = POLLIN },
		};
		long long now;
		ssize_t n;

		poll(pfd, 2, 500);
		now = now_ms();

		if (pfd[1].revents) {
			struct signalfd_siginfo si;

			while (read(sigchld_fd, &si, sizeof(si)) > 0)
				;
			dead |= reap(pid, &res->status);
		}
		if (pfd[0].revents) {
			n = read(pipefd[0], buf, sizeof(buf));
			open_end = n > 0;
			for (ssize_t i = 0; i < n; i++) {
				if (buf[i] != '\n')
					line[len++] = buf[i];
				if (buf[i] == '\n' || len == MAX_LINE) {
					take_line(res, output, line, len);
					len = 0;
				}
			}
			beat = now + HEARTBEAT * 1000LL;
			if (enough && res->cases >= enough) {
				dead = true;
				break;
			}
		} else if (dead) {
			/* Others hold the pipe, and have nothing to say. */
			break;
		}
		if (limit && now >= deadline) {
			if (!dead) {
				res->timeout = limit;
				report_processes();
			}
			break;
		}
		if (now >= beat && !silent) {
			report("  # still running after %lld seconds\n",
			       (now - start) / 1000);
			beat = now + HEARTBEAT * 1000LL;
		}
	}
	if (len)
		take_line(res, output, line, len);
	close(pipefd[0]);

	if (!dead && !res->timeout) {
		/* It closed its output. Its time is still limited. */
		while (!(dead = reap(pid, &res->status))) {
			if (limit && now_ms() >= deadline) {
				res->timeout = limit;
				break;
			}
			usleep(5000);
		}
	}
	kill(-pid, SIGKILL);
}

/* The line that closes a program. Returns whether it passed. */
static bool conclude(unsigned int nr, const char *name, const struct result *res,
		     bool tap)
{
	char why[320] = "";
	bool ok = false;

	if (res->timeout) {
		snprintf(why, sizeof(why), "TIMEOUT %d seconds", res->timeout);
	} else if (WIFSIGNALED(res->status)) {
		snprintf(why, sizeof(why), "signal=%d (%s)", WTERMSIG(res->status),
			 strsignal(WTERMSIG(res->status)));
	} else if (WEXITSTATUS(res->status) == EXIT_SKIP && !res->failed) {
		ok = true;
		snprintf(why, sizeof(why), "SKIP%s", res->skip);
	} else if (WEXITSTATUS(res->status)) {
		snprintf(why, sizeof(why), "exit=%d", WEXITSTATUS(res->status));
	} else if (tap && !res->planned) {
		snprintf(why, sizeof(why), "truncated: no plan");
	} else if (tap && (!res->cases || res->cases != res->plan)) {
		snprintf(why, sizeof(why), "truncated: %u results of %u planned",
			 res->cases, res->plan);
	} else if (res->failed) {
		snprintf(why, sizeof(why), "%u failed", res->failed);
	} else if (nr_kept && res->cases && res->skipped == res->cases) {
		/* The lines that say so are not in the report. */
		ok = true;
		snprintf(why, sizeof(why), "SKIP%s", res->skip);
	} else {
		ok = true;
	}
	if (!ok)
		write_all(report_fd, kept, nr_kept);
	report("%s %u %s%s%s\n", ok ? "ok" : "not ok", nr, name, *why ? " # " : "",
	       why);
	return ok;
}

/*
 * Does NS_TEST name this program? Sets *rest to the name of the case in it, or to
 * the empty string.
 */
static bool selected(const struct program *p, const char *want, const char **rest)
{
	const char *names[] = { p->name, strchr(p->name, ':') + 1 };

	*rest = "";
	if (!*want)
		return true;
	for (int i = 0; i < 2; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(want, names[i], len) || (want[len] && want[len] != ':'))
			continue;
		if (want[len])
			*rest = want + len + 1;
		return true;
	}
	return false;
}

static void read_list(void)
{
	char name[256], path[PATH_MAX], arg[64];
	char line[sizeof(name) + sizeof(path) + sizeof(arg) + 16];
	FILE *f = fopen(LIST, "re");
	unsigned int enough;

	if (!f)
		give_up("%s", LIST);
	while (fgets(line, sizeof(line), f)) {
		struct program *p = &programs[nr_programs];
		int n;

		n = sscanf(line, "%255s %4095s %u %63s", name, path, &enough, arg);
		if (n < 2 || !strchr(name, ':'))
			continue;
		if (nr_programs++ == MAX_PROGRAMS)
			give_up("more than %d programs", MAX_PROGRAMS);
		p->name = strdup(name);
		p->path = strdup(path);
		p->enough = n > 2 ? enough : 0;
		p->arg = n > 3 ? strdup(arg) : NULL;
	}
	fclose(f);
}

static bool run_test(const struct program *p, const char *rest, unsigned int nr,
		     enum output output)
{
	char *argv[4] = { p->path, p->arg };
	struct result res;

	report("# %s\n", p->name);
	if (*rest) {
		/* kselftest_harness.h: the full name, or the bare one. */
		argv[1] = strchr(rest, '.') ? "-r" : "-t";
		argv[2] = (char *)rest;
	}
	run_program(p->path, argv, time_limit(p->path), p->enough,
		    output, &res);
	kill_all(0, NULL);
	return conclude(nr, p->name, &res, !base_mode);
}

static void mode_test(void)
{
	const char *want = param("NS_TEST", ""), *rest;
	unsigned int plan = 0, nr = 0;

	read_list();
	for (unsigned int i = 0; i < nr_programs; i++)
		plan += selected(&programs[i], want, &rest);
	report("1..%u\n", plan);
	for (unsigned int i = 0; i < nr_programs; i++) {
		if (!selected(&programs[i], want, &rest))
			continue;
		note("start %s", programs[i].name);
		run_test(&programs[i], rest, ++nr, OUTPUT_REPORT);
	}
}

/* The same again and again, until it fails. */
static void mode_soak(void)
{
	const char *want = param("NS_TEST", ""), *rest;
	unsigned int count = atoi(param("NS_COUNT", "1"));
	unsigned int chosen = 0, nr = 0;

	read_list();
	for (unsigned int i = 0; i < nr_programs; i++)
		chosen += selected(&programs[i], want, &rest);
	report("1..%u\n", count * chosen);
	for (unsigned int round = 1; round <= count; round++) {
		note("start %s, round %u of %u", want, round, count);
		for (unsigned int i = 0; i < nr_programs; i++) {
			if (!selected(&programs[i], want, &rest))
				continue;
			if (!run_test(&programs[i], rest, ++nr, OUTPUT_KEEP)) {
				report("Bail out! failed in round %u of %u\n",
				       round, count);
				return;
			}
		}
	}
}

static void map_ids(void)
{
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 0 1");
	write_file("/proc/self/gid_map", "0 0 1");
}

/* A process that sits in new namespaces, so that there is something to see. */
static bool demonstrate(const char *name, int outer, int inner)
{
	bool done;
	int ready[2];
	char c = 0;

	if (pipe(ready))
		give_up("pipe");
	switch (fork()) {
	case -1:
		give_up("fork");
	case 0:
		if (unshare(outer))
			_exit(1);
		if (outer & CLONE_NEWUSER)
			map_ids();
		if (unshare(inner))
			_exit(1);
		if (inner & CLONE_NEWUSER)
			map_ids();
		if ((outer | inner) & CLONE_NEWUTS)
			c = sethostname(name, strlen(name)) != 0;
		/* The first child is the one that lives in a new pid namespace. */
		if ((outer | inner) & CLONE_NEWPID) {
			switch (fork()) {
			case -1:
				_exit(1);
			case 0:
				break;
			default:
				/* Not to hold the pipe, should the child die. */
				close(ready[1]);
				for (;;)
					pause();
			}
		}
		write_all(ready[1], &c, 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	done = read(ready[0], &c, 1) == 1 && !c;
	if (!done)
		report("  # %s: its namespaces could not be created\n", name);
	close(ready[0]);
	return done;
}

static void mode_run(void)
{
	static char *const table[][3] = {
		{ SAMPLE, NULL },
		{ SAMPLE, "--tree", NULL },
	};
	static const char *const names[] = {
		"list-namespaces", "list-namespaces --tree",
	};
	struct result res;
	bool done = true;

	report("1..3\n");
	done &= demonstrate("web", CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNET, 0);
	done &= demonstrate("nested", CLONE_NEWUSER | CLONE_NEWIPC,
			    CLONE_NEWUSER | CLONE_NEWUTS);
	done &= demonstrate("container", CLONE_NEWUSER | CLONE_NEWPID,
			    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWIPC |
			    CLONE_NEWUTS);
	done &= demonstrate("net", CLONE_NEWNET, 0);
	report("%s 1 namespaces to show\n", done ? "ok" : "not ok");

	for (int i = 0; i < 2; i++) {
		dprintf(STDOUT_FILENO, "\n# %s\n", names[i]);
		run_program(SAMPLE, table[i], DEFAULT_TIMEOUT * factor, 0,
			    OUTPUT_CONSOLE, &res);
		report("  # %u lines\n", res.lines);
		/* The eight initial ones at the least. */
		if (!res.status && !res.timeout && res.lines < 8)
			report("not ok %d %s # printed next to nothing\n", i + 2,
			       names[i]);
		else
			conclude(i + 2, names[i], &res, false);
	}
	dprintf(STDOUT_FILENO, "\n");
	kill_all(0, NULL);
}

/*
 * Instructions are counted here, and every byte of output is input and output of
 * the host at a moment of its own choosing: hold the output back until the end.
 */
static void mode_bench(void)
{
	static char *const argv[] = { BENCH, NULL };
	struct result res;

	silent = true;
	report("1..1\n");
	run_program(BENCH, argv, 0, 0, OUTPUT_KEEP, &res);
	kill_all(0, NULL);
	write_all(report_fd, kept, nr_kept);
	nr_kept = 0;
	conclude(1, "bench", &res, false);
}

static void mode_shell(void)
{
	static char *const install[] = { BUSYBOX, "--install", "-s", "/bin", NULL };
	static char *const shell[] = { "-sh", NULL };
	static char *const envp[] = {
		"PATH=/bin:/", "HOME=/", "TERM=linux", "PS1=\\w \\$ ", NULL
	};
	struct winsize ws = {
		.ws_row = atoi(param("NS_ROWS", "24")),
		.ws_col = atoi(param("NS_COLS", "80")),
	};
	sigset_t none;
	char tty[64];
	int st;
	pid_t pid;

	pid = spawn(BUSYBOX, install, -1);
	if (pid < 0 || waitpid(pid, &st, 0) != pid || st)
		give_up("%s --install", BUSYBOX);

	/* /dev/console cannot be a controlling terminal, what is behind it can. */
	snprintf(tty, sizeof(tty), "/dev/%s", param("NS_TTY", "console"));
	dprintf(STDOUT_FILENO,
		"\nBusybox in the guest. The selftests are in /selftests, and /list-namespaces.\n"
		"Leave with `exit', or with Ctrl-A X from anywhere.\n\n");
	pid = fork();
	if (!pid) {
		int fd;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		fd = open(tty, O_RDWR);
		if (fd >= 0) {
			ioctl(fd, TIOCSCTTY, 1);
			ioctl(fd, TIOCSWINSZ, &ws);
			for (int i = 0; i < 3; i++)
				dup2(fd, i);
			if (fd > 2)
				close(fd);
		}
		execve(BUSYBOX, shell, envp);
		_exit(127);
	}
	while ((pid_t)wait(&st) != pid)
		;
}

/* What a kernel that is not well says of itself. */
static void check_health(void)
{
	char buf[256], *at;
	FILE *f;

	/* What the last program left to workers and to RCU may still go wrong. */
	sleep(1);

	if (read_file("/proc/sys/kernel/tainted", buf, sizeof(buf)) < 0)
		sick("/proc/sys/kernel/tainted cannot be read");
	else if (strcmp(buf, "0"))
		sick("the kernel is tainted: %s", buf);

	f = fopen("/proc/lockdep_stats", "re");
	if (f) {
		bool found = false;

		while (fgets(buf, sizeof(buf), f)) {
			at = strstr(buf, "debug_locks:");
			if (!at)
				continue;
			found = true;
			if (atoi(at + strlen("debug_locks:")) != 1)
				sick("lockdep has switched itself off");
		}
		if (!found)
			sick("no debug_locks in /proc/lockdep_stats");
		fclose(f);
	}

	if (!access(KMEMLEAK, F_OK)) {
		bool scanned = write_file(KMEMLEAK, "scan");

		/* It wants to see an object twice, and not a young one. */
		sleep(6);
		scanned &= write_file(KMEMLEAK, "scan");
		f = fopen(KMEMLEAK, "re");
		if (!scanned || !f)
			sick("kmemleak does not scan: it has switched itself off");
		for (unsigned int i = 0; f && fgets(buf, sizeof(buf), f); i++) {
			if (!i)
				sick("kmemleak found something");
			if (i < 60)
				report("# %s", buf);
		}
		if (f)
			fclose(f);
	}
}

/* Defects that the host must notice: its own test asks for them. */
static void plant(const char *what)
{
	if (!strcmp(what, "panic")) {
		exit(1);
	} else if (!strcmp(what, "hang")) {
		for (;;)
			pause();
	} else if (!strcmp(what, "poweroff")) {
		restart();
	} else if (!strcmp(what, "fail")) {
		report("not ok 1 planted # exit=1\n");
	} else if (!strcmp(what, "warn")) {
		write_file("/dev/kmsg",
			   "<4>WARNING: CPU: 0 PID: 1 at planted.c:1 planted+0x0/0x0");
	} else if (!strcmp(what, "sick")) {
		sick("planted");
	} else {
		give_up("NS_PLANT=%s is unknown", what);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} modes[] = {
		{ "test",	mode_test },
		{ "base",	mode_test },
		{ "soak",	mode_soak },
		{ "run",	mode_run },
		{ "bench",	mode_bench },
		{ "shell",	mode_shell },
	};
	const char *mode = param("NS_MODE", "test");
	const char *nonce = param("NS_NONCE", "");
	sigset_t set;
	size_t i;

#ifdef __x86_64__
	/* For scripts/host/locked.c: the boot ends here. */
	asm volatile("nopl 0x6c6f6300(%rax)");
#endif
	/* The base's pidfd_test executes /bin/sleep, which is this program. */
	if (argc == 2 && !strcmp(argv[0], "sleep"))
		return sleep(atoi(argv[1]));

	factor = atoi(param("NS_FACTOR", "1"));
	if (!factor)
		factor = 1;
	umask(022);
	/*
	 * Programs of others. Some know nothing of TAP and are their exit code, and
	 * some fail on every kernel: scripts/report.sh compares with what is recorded.
	 */
	base_mode = !strcmp(mode, "base");
	if (base_mode)
		mount_root();
	mount_all();
	kmsg_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	/* Deaths are news that come with the output: see run_program(). */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigchld_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sigchld_fd < 0)
		give_up("signalfd");

	scale_limits();
	enable_faults();
	report_fd = open_report();
	if (report_fd < 0)
		give_up("no virtio port is named report");
	report("KTAP version 1\n# mode %s\n", mode);

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(modes[i].name, mode))
			break;
	}
	if (i == sizeof(modes) / sizeof(modes[0]))
		give_up("NS_MODE=%s is unknown", mode);
	modes[i].run();
	if (getenv("NS_PLANT"))
		plant(getenv("NS_PLANT"));

	check_health();
	if (*unhealthy)
		report("# health: %s\n", unhealthy);
	else
		report("# health ok\n");
	/* The console shall have worked to the end, too. */
	note("end %s", nonce);
	report("# end %s\n", nonce);
	restart();
}
