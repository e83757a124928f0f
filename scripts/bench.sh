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

# boot IMAGE OBJECTS LOG [PLUGIN]
boot()
{
	local log=$3 rc=0

	# The console is judged as that of any other boot.
	KERNEL=$1 LOGDIR=$log KERNEL_OBJECTS=$2 PLUGIN=${4:-} RESUME='' \
		"$top/scripts/boot.sh" bench "$arch" || exit
	judge report "$log" >"$log/verdict" || rc=$?
	[ $rc = 0 ] || {
		cat "$log/verdict"
		exit $rc
	}
}

# measure IMAGE OBJECTS LOG: LOG/figures, and LOG/locked.txt
measure()
{
	rm -f "$3"/locked{,.txt}
	boot "$@" "${plugin:+$plugin,out=$3/locked}"
	# Once more for what depends on how per-cpu memory is laid out.
	APPEND="${APPEND:+$APPEND }percpu_alloc=embed NS_PLAIN=1" boot "$1" "$2" "$3/plain"
	judge figures "$3" "${2:-none}" "$cross" ${plugin:+locked}
	size_of_ns_common "$2" >>"$3/figures"
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

logs=()
for i in "${!columns[@]}"; do
	log=$out/log/bench-${columns[i]}
	logs+=("${columns[i]}=$log")
	measure "${images[i]}" "${objects[i]}" "$log"
	if [ -n "$twice" ]; then
		cp "$log/figures" "$work/first"
		measure "${images[i]}" "${objects[i]}" "$log"
		judge repeats "$work/first" "$log/figures" ||
			die "$EX_FAIL" "the figures of ${columns[i]} do not repeat: what in the guest comes from the host?"
	fi
done

echo
for i in "${!columns[@]}"; do
	[ "$i" -lt 2 ] || echo "${columns[i]}: ${images[i]}"
done
judge table "${logs[@]}"
