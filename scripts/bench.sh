#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench.sh [--no-build] [--twice] [ARCH]: what the series costs and saves, against
# its base: guest instructions by scripts/guest/bench.c in one boot of each kernel
# under -icount. A line that a kernel cannot do is "-". Red if a goal is missed or a
# figure is lacking.
#
# Locked operations are counted in the same boots, by a plugin for qemu
# (scripts/host/locked.c): those of 1,000 forks in one user namespace, with what RCU
# does of it later; and those of a chain of tasks, where each forks the next, on cache
# lines that at least nine of ten tasks had to do with, when they forked or when they
# exited: what is shared by all of them, and nothing of their own. In
# build/ARCH/log/bench-COLUMN, locked.txt says which functions they are in.
#
# Cache lines are counted by the plugin, too: those of 64 bytes that the kernel reads
# from its own memory to list 8,000 namespaces, each once, however often it reads them.
#
# Another boot measures unshare() again with per-cpu memory as it is by default, which is
# what a user would have. For the rest that makes for figures that do not repeat.
#
# What runs without an interrupt repeats to the instruction. Where RCU and workers
# take part, lines were seen to differ by up to 0.4% between two boots of one kernel
# (qemu 7.2). --twice boots each kernel two times and is red beyond 0.5%.
#
#	BENCH_KERNEL=image[,image]	one more column for each of these

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

# key, goal, work. The goal is for the series: a number, +N% on the base, or +N%/KEY on
# what another line has for the series.
goals='
listns_all_4096		25	listns, all, pages of 4096, per id
listns_all_16		60	listns, all, pages of 16, per id
listns_owner_4096	25	listns by owner, pages of 4096, per id
listns_uts_4096		25	listns of type uts, pages of 4096, per id
listns_few		617	listns of user and net, 8000 uts present
lines_all		1.05	listns, all, cache lines read, per id
lines_owner		1.05	listns by owner, cache lines read, per id
listns_used_alone	2000	listns of what a user without privileges uses, alone
listns_used		+0.5%/listns_used_alone	the same, 8000 uts present
proc_scan		-	scanning /proc/*/ns/*, per link
unshare_uts		+5%	unshare uts, create and destroy
plain_8000		+5%	the same, 8,000 rounds, plain per-cpu memory
plain_50		+5%	the same, 50 rounds
unshare_ipc		+2%	unshare ipc, create and destroy
unshare_mnt		+2%	unshare mnt, create and destroy
copy_10			+2%	unshare mnt and setns back, 10 mounts
copy_100		+2%	the same, 100 mounts
copy_1000		+2%	the same, 1,000 mounts
copy_10000		+2%	the same, 10,000 mounts
empty_10		-	empty mnt and setns back, 10 mounts, median
empty_100		+0.5%/empty_10	the same, 100 mounts
empty_1000		+0.5%/empty_10	the same, 1,000 mounts
empty_10000		+0.5%/empty_10	the same, 10,000 mounts
tree_10			-	open_tree() of one mount, setns there and back, 10 mounts, median
tree_100		+0.5%/tree_10	the same, 100 mounts
tree_1000		+0.5%/tree_10	the same, 1,000 mounts
tree_10000		+0.5%/tree_10	the same, 10,000 mounts
setns_uts		+5%	setns between two uts namespaces
open_close		-	open and close of /proc/self/ns/*, per link
fork_init		+0.5%	fork, exit and wait
fork_userns		+0.5%	fork, exit and wait in a user namespace
fork_nested		+0.5%	the same, 20 user namespaces deep
thread_userns		+0.5%	thread, create and join in a user namespace
locked_all		-	locked operations of a fork in a user ns
locked_fork		+0%	those outside of mm/
locked_shared		+0%	of these, on cache lines that tasks share
boot_init		+0.1%	boot up to the first instruction of init
ns_common		136	sizeof(struct ns_common)
'

# sizeof(struct ns_common), with the command that compiled the kernel in $1.
size_of_ns_common()
{
	local objects=$1 command

	command=$(sed -n '1s/^savedcmd_[^ ]* := //p' "$objects/kernel/.nscommon.o.cmd" 2>/dev/null |
		sed 's/ -c -o .*//; s/-Wp,-MMD,[^ ]*//') || return 0
	[ -n "$command" ] || return 0
	printf '%s\n' '#include <linux/ns_common.h>' \
		'char nstree_size[sizeof(struct ns_common)];' >"$work/size.c"
	if (cd "$objects" && eval "$command -c -o $work/size.o $work/size.c") >"$work/size.log" 2>&1; then
		printf 'ns_common %d 1\n' "0x$("${cross}nm" -S "$work/size.o" | awk '/nstree_size/ { print $2 }')"
	else
		say "note: sizeof(struct ns_common): $(head -n 1 "$work/size.log")" >&2
	fi
}

# The build directory that a foreign image lies in, if it does.
objects_of()
{
	local dir

	dir=$(dirname "$(realpath "$1")")
	while [ "$dir" != / ]; do
		for dir in "$dir" "$dir/obj"; do
			[ ! -f "$dir/kernel/.nscommon.o.cmd" ] || { echo "$dir"; return; }
		done
		dir=$(dirname "$(dirname "$dir")")
	done
}

# The plugin, if this qemu takes one: $plugin
build_plugin()
{
	local version api=1

	"${qemu[0]}" -help | grep '^-plugin ' >/dev/null || {
		say "note: no locked operations: ${qemu[0]} takes no plugins"
		return
	}
	version=$("${qemu[0]}" --version | sed -n '1s/.*version \([0-9]*\)\.\([0-9]*\).*/\1\2/p')
	[ "$version" -lt 90 ] || api=2
	[ "$version" -lt 91 ] || api=3
	gcc -shared -fPIC -O2 -Wall -DAPI=$api -o "$work/locked.so" "$top/scripts/host/locked.c" 2>"$work/locked.log" ||
		die $EX_BUILD "gcc cannot build scripts/host/locked.c: $(cat "$work/locked.log")"
	plugin=$work/locked.so
}

# What the plugin left in $1, as figures, and for people in locked.txt: how many in
# which function, and how many of these on shared lines. $2 has the kernel's objects.
#
# How many there are in mm/ depends on how full pages, slabs and lists of pages happen
# to be, and changes by some units from boot to boot of kernels that hardly differ; so
# it does for the trylocks, which are those of mm/. What is compared are the others,
# each function rounded, against what timers and RCU do now and then.
locked()
{
	local raw=$1/locked objects=$2

	case $(tail -n 1 "$raw" 2>/dev/null) in
	end)		;;
	unsupported)
		say "note: no locked operations: the plugin cannot tell them on $arch"
		plugin=
		return
		;;
	*)		die "$EX_FAIL" "$raw is not complete" ;;
	esac
	awk '
		NR == FNR {
			if ($2 == 0 && $4 >= 180)	# of 200 steps
				shared[$1, $3]
			next
		}
		$2 == 0		{ next }
		$1 == 1		{ all[$2] += $4 / 1000; pc[$2] }
		($1, $3) in shared { common[$2] += $4 / 200; pc[$2] }
		END {
			for (p in pc)
				print p, all[p] + 0, common[p] + 0
		}' "$raw" "$raw" >"$1/locked.pc"
	awk '{ n += $2 } END { printf "locked_all %.1f 1\n", n }' "$1/locked.pc"
	awk '$1 == 0 && $4 > 0 { print "boot_init", $4, 1 }' "$raw"
	awk '
		NR == FNR { ids[$1] = $2; next }
		$2 == 0 && $1 >= 5 { n[$1]++ }
		END {
			if ("ids_all" in ids) {
				print "lines_all", n[5], ids["ids_all"]
				print "lines_owner", n[6], ids["ids_owner"]
			}
		}' "$work/$column" "$raw"

	[ -f "$objects/System.map" ] || return 0
	{
		awk '$2 ~ /^[tTwW]$/ { print $1, $3 }' "$objects/System.map"
		cat "$1/locked.pc"
	} | LC_ALL=C sort | awk '
		NF == 2 { name = $2; next }
		{ all[name] += $2; shared[name] += $3 }
		END {
			for (f in all)
				if (int(all[f] + 0.5) + int(shared[f] + 0.5))
					print int(all[f] + 0.5), int(shared[f] + 0.5), f
		}' | sort -k 1,1nr -k 3 >"$1/locked.all"
	"${cross}nm" --defined-only "$objects"/mm/*.o | awk '
		NR == FNR { if ($2 ~ /^[tTwW]$/) mm[$3]; next }
		!($3 in mm) && $3 !~ /trylock/' - "$1/locked.all" >"$1/locked.txt"
	awk '
		{ n += $1; shared += $2 }
		END { if (n && shared) printf "locked_fork %d 1\nlocked_shared %d 1\n", n, shared }' "$1/locked.txt"
}

# The functions that are not the same in two such files
locked_differences()
{
	awk '
		{ is[$3, NR == FNR] = sprintf("%10d %10d", $1, $2); names[$3] }
		END {
			zero = sprintf("%10d %10d", 0, 0)
			for (f in names) {
				for (i = 0; i < 2; i++)
					if (is[f, i] == "")
						is[f, i] = zero
				if (is[f, 0] != is[f, 1])
					printf "  %-36s %s %s\n", f, is[f, 1], is[f, 0]
			}
		}' "$1" "$2" | sort
}

# boot COLUMN IMAGE OBJECTS LOG [PLUGIN]: $work/COLUMN gets what the guest measured
boot()
{
	local column=$1 log=$4 rc=0

	# The console is judged as that of any other boot.
	KERNEL=$2 LOGDIR=$log KERNEL_OBJECTS=$3 PLUGIN=${5:-} RESUME='' \
		"$top/scripts/boot.sh" bench "$arch" || exit
	"$top/scripts/report.sh" "$log" >"$log/verdict" || rc=$?
	[ $rc = 0 ] || {
		cat "$log/verdict"
		exit $rc
	}
	sed -n 's/^  bench //p' "$log/report.ktap" >>"$work/$column"
}

# measure COLUMN IMAGE OBJECTS: $work/COLUMN gets lines of "key instructions units"
measure()
{
	local column=$1 log=$out/log/bench-$1

	: >"$work/$column"
	boot "$@" "$log" "${plugin:+$plugin,out=$log/locked}"
	# Once more for what depends on how per-cpu memory is laid out.
	APPEND="${APPEND:+$APPEND }percpu_alloc=embed NS_PLAIN=1" boot "$@" "$log/plain"
	# A nanosecond must be an instruction, or the rest means nothing.
	awk '$1 == "clock" { ok = $2 > 0.99 * $3 && $2 < 1.02 * $3 } END { exit !ok }' "$work/$column" ||
		die "$EX_FAIL" "$column: a million instructions take $(awk '$1 == "clock" { print $2 }' "$work/$column")" \
			"ns by the guest's clock: is its clocksource a counter? See $log/console.log"
	size_of_ns_common "$3" >>"$work/$column"
	[ -z "$plugin" ] || locked "$log" "$3" >>"$work/$column"
}

# How far two runs of one kernel are apart.
repeats()
{
	awk '
	NR == FNR { first[$1] = $2; next }
	{
		d = $2 - first[$1]
		d = 100 * (d < 0 ? -d : d) / $2
		printf "  %-20s %12d %12d  %.3f%%\n", $1, first[$1], $2, d
		if (!($1 in first) || d > 0.5)
			bad = 1
		n++
	}
	END { exit bad || n != length(first) }' "$1" "$2"
}

table()
{
	awk -v columns="${columns[*]}" -v dir="$work" -v without="$without" '
	# -1 is a line that this kernel has not.
	function of(column) { return (column, key) in value ? value[column, key] : -1 }
	function figure(x) {
		return x < 0 ? "-" : x >= 1000 ? sprintf("%d", x + 0.5) : sprintf(x < 10 ? "%.2f" : "%.1f", x)
	}
	BEGIN {
		nr = split(columns, col)
		printf "%-42s", "work (instructions)"
		for (c = 1; c <= nr; c++) {
			while ((getline line < (dir "/" col[c])) > 0) {
				split(line, w, " ")
				value[col[c], w[1]] = w[2] / w[3]
			}
			printf " %10s", col[c]
			if (c == 2)
				printf " %7s %8s ", "ratio", "goal"
		}
		print ""
	}
	NF {
		key = $1; goal = $2
		$1 = $2 = ""
		printf "%-42s", substr($0, 3)
		base = of(col[1])
		new = of(col[2])
		for (c = 1; c <= nr; c++) {
			printf " %10s", figure(of(col[c]))
			if (c != 2)
				continue
			ratio = base > 0 && new > 0 ? sprintf("%.3f", new / base) : "-"
			n = split(goal, w, "/")
			printf " %7s %8s", ratio, w[1]
			from = n > 1 ? value[col[2], w[2]] : base
			limit = goal ~ /%/ ? from * (1 + substr(w[1], 2) / 100) : goal
			if (new < 0)
				mark = "?"
			else
				mark = goal == "-" || new <= limit ? " " : "!"
			printf "%s", mark
			missed += mark == "!"
			lacking += mark == "?"
		}
		print ""
	}
	END {
		if (missed)
			print missed " goals missed (!)"
		if (lacking)
			print lacking " figures lacking (?)"
		if (!missed && !lacking)
			print "all goals met" (without ? ", but " without " were not measured: see the notes above" : "")
		exit missed || lacking ? 1 : 0
	}' <<<"$goals"
}

build_first=1 twice=
while [[ ${1:-} == --* ]]; do
	case $1 in
	--no-build)	build_first=0 ;;
	--twice)	twice=1 ;;
	*)		die 2 "usage: bench.sh [--no-build] [--twice] [ARCH]" ;;
	esac
	shift
done
arch_load "${1:-${ARCH:-$(default_arch)}}"

if [ $build_first = 1 ]; then
	"$top/scripts/build.sh" --base "$arch"
	"$top/scripts/build.sh" --kernel-only "$arch"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
plugin=
build_plugin
columns=(base series)
images=("$out_base/kernel.img" "$out/kernel.img")
objects=("$out_base/obj" "$out/obj")
IFS=, read -r -a more <<<"${BENCH_KERNEL:-}"
for image in "${more[@]}"; do
	[ -f "$image" ] || die 2 "BENCH_KERNEL: $image is not there"
	columns+=("kernel$((${#columns[@]} - 1))")
	images+=("$image")
	objects+=("$(objects_of "$image")")
done

for i in "${!columns[@]}"; do
	measure "${columns[i]}" "${images[i]}" "${objects[i]}"
	if [ -n "$twice" ]; then
		cp "$work/${columns[i]}" "$work/first"
		measure "${columns[i]}" "${images[i]}" "${objects[i]}"
		repeats "$work/first" "$work/${columns[i]}" ||
			die "$EX_FAIL" "the figures of ${columns[i]} do not repeat: what in the guest comes from the host?"
	fi
done

without=''
if [ -z "$plugin" ]; then
	goals=$(grep -v -E '^(locked|boot)_' <<<"$goals")
	without='those of locked operations and of the boot'
fi
echo
for i in "${!columns[@]}"; do
	[ "$i" -lt 2 ] || echo "${columns[i]}: ${images[i]}"
done
if [ -n "$plugin" ]; then
	printf '%-38s %10s %10s %10s %10s\n' 'locked operations that differ, outside mm/' \
		base '(shared)' series '(shared)'
	locked_differences "$out/log/bench-base/locked.txt" "$out/log/bench-series/locked.txt"
	echo
fi
table || exit "$EX_FAIL"
