// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for qemu's TCG: which locked instructions the guest's kernel executes, and
 * on which cache lines, between marks that a program of the guest sets:
 *
 *	nopl 0x6c6f6300 + PHASE(%rax)
 *
 * begins a step of phase PHASE and ends the step before; phase 0 is not counted. The
 * file that the argument out= names gets a line "PHASE PC LINE COUNT" for each
 * combination, and one with PC 0 where COUNT is the number of steps that had anything
 * to do with that cache line. PHASE, PC and LINE are in hex without a prefix. The last
 * line is "end".
 *
 * Phase 4 makes ready for phases above it, and takes a while until it is. In those it is
 * all that the kernel reads from its own memory that is counted, as lines with PC 0: how
 * often each cache line was read. Phase 0 ends them.
 *
 * Up to the first mark of all, whatever its phase, it is the instructions of the kernel
 * that are counted: the line "0 0 0 COUNT".
 *
 * One CPU only: nothing here is safe against another. For x86_64; on others the file
 * says "unsupported".
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * qemu-plugin.h, as much of it as is used here: Debian has it in no package. API is
 * the version of the interface, of which 3 changed one function.
 */
#ifndef API
#define API	1
#endif

struct info {
	const char *target_name;
	/* more, not used here */
};

struct tb;
struct insn;

typedef void (*tb_fn)(uint64_t id, struct tb *tb);
typedef void (*exec_fn)(unsigned int cpu, void *data);
typedef void (*mem_fn)(unsigned int cpu, uint32_t what, uint64_t addr, void *data);
typedef void (*exit_fn)(uint64_t id, void *data);
typedef void (*reset_fn)(uint64_t id);

size_t qemu_plugin_tb_n_insns(const struct tb *tb);
struct insn *qemu_plugin_tb_get_insn(const struct tb *tb, size_t i);
size_t qemu_plugin_insn_size(const struct insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct insn *insn);
#if API < 3
const void *qemu_plugin_insn_data(const struct insn *insn);
#else
size_t qemu_plugin_insn_data(const struct insn *insn, void *data, size_t size);
#endif
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_fn fn);
void qemu_plugin_register_vcpu_tb_exec_cb(struct tb *tb, exec_fn fn, int flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *insn, exec_fn fn, int flags,
					    void *data);
void qemu_plugin_register_vcpu_mem_cb(struct insn *insn, mem_fn fn, int flags, int rw,
				      void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, exit_fn fn, void *data);
void qemu_plugin_reset(uint64_t id, reset_fn fn);

bool qemu_plugin_mem_is_store(uint32_t what);

#define NO_REGISTERS	0
#define READS		1	/* qemu 7.2 takes this for writes; what is locked does both */
#define READS_AND_WRITES 3

__attribute__((visibility("default"))) int qemu_plugin_version = API;

#define MARK		0x6c6f6300u
#define PREPARE_LINES	4
#define LINE_SHIFT	6
#define TABLE_SIZE	(1u << 22)

static struct entry {
	uint64_t pc, line, count;
	unsigned int phase, step;
} *table;

static unsigned int used, phase, step;
static uint64_t plugin, boot;
static bool booted, lines;
static FILE *out;

static void retranslate(uint64_t id);

static void begin(unsigned int cpu, void *data)
{
	(void)cpu;
	phase = (uintptr_t)data;
	step++;
	if (lines ? !phase : phase == PREPARE_LINES) {
		lines = !lines;
		/* What is translated already counts the other way. */
		qemu_plugin_reset(plugin, retranslate);
	}
}

static struct entry *find(uint64_t pc, uint64_t line)
{
	uint64_t hash = (pc ^ line << 20 ^ phase) * 0x9e3779b97f4a7c15ull >> 42;
	struct entry *e;

	for (;; hash++) {
		e = &table[hash % TABLE_SIZE];
		if (!e->phase || (e->pc == pc && e->line == line && e->phase == phase))
			break;
	}
	if (!e->phase && ++used > TABLE_SIZE / 2) {
		fprintf(out, "full\n");
		exit(1);
	}
	e->pc = pc;
	e->line = line;
	e->phase = phase;
	return e;
}

static void count(unsigned int cpu, uint32_t what, uint64_t addr, void *data)
{
	uint64_t line = addr >> LINE_SHIFT;
	struct entry *e;

	(void)cpu;
	(void)what;
	if (!phase)
		return;
	find((uintptr_t)data, line)->count++;
	e = find(0, line);
	if (e->step != step) {
		e->step = step;
		e->count++;
	}
}

static void count_line(unsigned int cpu, uint32_t what, uint64_t addr, void *data)
{
	(void)cpu;
	(void)data;
	if (phase > PREPARE_LINES && addr >> 63 && !qemu_plugin_mem_is_store(what))
		find(0, addr >> LINE_SHIFT)->count++;
}

/* With a lock prefix, or xchg with memory, which needs none. */
static bool is_locked(const uint8_t *p, const uint8_t *end)
{
	for (; p < end; p++) {
		if (*p == 0xf0)
			return true;
		if (!memchr("\x66\x67\x2e\x36\x3e\x26\x64\x65\xf2\xf3", *p, 10))
			break;
	}
	if (p < end && (*p & 0xf0) == 0x40)
		p++;
	return end - p >= 2 && (*p == 0x86 || *p == 0x87) && p[1] < 0xc0;
}

/* The code of @insn, which gets @size bytes; 0 if that is more than there can be. */
static size_t get_code(struct insn *insn, uint8_t code[16])
{
	size_t size = qemu_plugin_insn_size(insn);

	if (size > 16)
		return 0;
	memset(code, 0, 16);
#if API < 3
	memcpy(code, qemu_plugin_insn_data(insn), size);
#else
	qemu_plugin_insn_data(insn, code, size);
#endif
	return size;
}

/* The phase that a mark begins, or -1 for what is no mark */
static int is_mark(const uint8_t *code, size_t size)
{
	uint32_t disp;

	memcpy(&disp, code + 3, sizeof(disp));
	if (size == 7 && !memcmp(code, "\x0f\x1f\x80", 3) && disp >> 8 == MARK >> 8)
		return disp & 0xff;
	return -1;
}

static void translate(uint64_t id, struct tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t pc = qemu_plugin_insn_vaddr(insn);
		uint8_t code[16];
		size_t size = get_code(insn, code);
		int next = is_mark(code, size);

		if (next >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, begin, NO_REGISTERS,
							       (void *)(intptr_t)next);
		else if (pc >> 63 && lines)
			qemu_plugin_register_vcpu_mem_cb(insn, count_line, NO_REGISTERS,
							 READS_AND_WRITES, NULL);
		else if (pc >> 63 && is_locked(code, code + size))
			qemu_plugin_register_vcpu_mem_cb(insn, count, NO_REGISTERS, READS,
							 (void *)(uintptr_t)pc);
	}
}

static void finish(uint64_t id, void *data)
{
	(void)id;
	(void)data;
	fprintf(out, "0 0 0 %llu\n", booted ? (unsigned long long)boot : 0);
	for (size_t i = 0; table && i < TABLE_SIZE; i++)
		if (table[i].phase)
			fprintf(out, "%x %llx %llx %llu\n", table[i].phase,
				(unsigned long long)table[i].pc,
				(unsigned long long)table[i].line,
				(unsigned long long)table[i].count);
	fprintf(out, table ? "end\n" : "unsupported\n");
	fclose(out);
}

static void count_boot(unsigned int cpu, void *data)
{
	(void)cpu;
	if (!booted)
		boot += (uintptr_t)data;
}

/* What was translated for the boot would slow down all that follows. */
static void retranslate(uint64_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
}

static void end_boot(unsigned int cpu, void *data)
{
	begin(cpu, data);
	if (!booted)
		qemu_plugin_reset(plugin, retranslate);
	booted = true;
}

/* A block is counted when it begins: one that faults counts once more. */
static void translate_boot(uint64_t id, struct tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	if (qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)) >> 63) {
		qemu_plugin_register_vcpu_tb_exec_cb(tb, count_boot, NO_REGISTERS,
						     (void *)(uintptr_t)n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint8_t code[16];
		int next = is_mark(code, get_code(insn, code));

		if (next >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, end_boot, NO_REGISTERS,
							       (void *)(intptr_t)next);
	}
}

__attribute__((visibility("default")))
int qemu_plugin_install(uint64_t id, const struct info *info, int argc, char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	out = fopen(argv[0] + 4, "w");
	if (!out)
		return -1;
	if (!strcmp(info->target_name, "x86_64")) {
		table = calloc(TABLE_SIZE, sizeof(*table));
		if (!table)
			return -1;
		plugin = id;
		qemu_plugin_register_vcpu_tb_trans_cb(id, translate_boot);
	}
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
