#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh [options] ARCH: kernel image and installed selftests, below build/ARCH/
#
#	--base		the unpatched base instead, image only, below build/base/ARCH/
#	--config FILE	one more fragment; below build/ARCH-NAME/ if it is NAME.config
#	--kernel-only	no selftests
#	--prepare	no image either, only what compiling single files needs
#	--src DIR --out DIR	build this source there
#
# DEBUG=1 is --config configs/debug.config.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

base='' fragment='' tests=1 prepare='' src='' dir=''
while [ "${1#-}" != "${1:-}" ]; do
	case $1 in
	--base)		base=1 tests='' ;;
	--config)	fragment=$(realpath "$2"); shift ;;
	--kernel-only)	tests='' ;;
	--prepare)	prepare=1 tests='' ;;
	--src)		src=$2; shift ;;
	--out)		dir=$2; shift ;;
	*)		die 2 "unknown option $1: see the top of scripts/build.sh" ;;
	esac
	shift
done
[ $# = 1 ] || die 2 "usage: build.sh [options] ARCH, ARCH one of: $(arch_list)"

if [ -n "$fragment" ]; then
	variant=${fragment##*/}
	variant=${variant%.config}
elif [ -n "$variant" ]; then
	fragment=$top/configs/$variant.config
fi
if [ -n "$fragment" ] && [ ! -f "$fragment" ]; then
	die $EX_BUILD "$fragment: no such fragment; there are $(ls "$top/configs")"
fi

arch_load "$1"
build_env
need "${cross}gcc" "${packages_cross[*]:-gcc}"
for tool in bc bison flex make rsync; do
	need $tool $tool
done

if [ -n "$base" ]; then
	src=${src:-$build/base/linux} dir=${dir:-$out_base}
	worktree "$src" base
fi
src=${src:-$linux} dir=${dir:-$out}
obj=$dir/obj log=$dir/log no32=$dir/no-selftests32
what="$arch${variant:+ ($variant)}${base:+, base}"

[ -e "$src/Makefile" ] || die $EX_BUILD "$src is not there: \`make tree\` first"
mkdir -p "$obj" "$log"
exec {lock}>"$dir/.lock"
flock -n "$lock" || die $EX_BUILD "$dir is in use by another build or boot: wait for its end"

# What it is built from, for boot.sh: not there until all is.
source_state()
{
	echo "tree=$(git -C "$src" rev-parse 'HEAD^{tree}')"
	[ -z "$(git -C "$src" --no-optional-locks status --porcelain -uno)" ] || echo dirty=yes
}
before=$(cat "$dir/built" 2>/dev/null) || before=
rm -f "$dir/built"
built=$(source_state)

requested()
{
	cat "$top/configs/base.config"
	echo "$kconfig"
	[ -z "$fragment" ] || cat "$fragment"
	[ "$variant" != debug ] || echo "$kconfig_debug"
}

configure()
{
	requested >"$obj/requested.config"
	kmake -s tinyconfig &&
	(cd "$src" && ARCH=$karch scripts/kconfig/merge_config.sh -m -O "$obj" \
		"$obj/.config" "$obj/requested.config") &&
	kmake -s olddefconfig
}

# What was asked for and is not there; the last word on an option counts.
not_granted()
{
	requested | sed -n 's/^# \(CONFIG_[A-Za-z0-9_]*\) is not set$/\1=n/; s/^\(CONFIG_[A-Za-z0-9_]*=.*[^ ]\) *$/\1/p; /^CONFIG.*=n$/p' |
	awk '
		NR == FNR { if (/^CONFIG_/) { i = index($0, "="); is[substr($0, 1, i - 1)] = substr($0, i + 1) }; next }
		{ i = index($0, "="); want[substr($0, 1, i - 1)] = substr($0, i + 1) }
		END {
			for (o in want)
				if (want[o] != ((o in is) ? is[o] : "n"))
					print o "=" want[o]
		}' "$obj/.config" - | sort
}

# The configuration depends on what is asked, the Kconfig files and the compiler.
inputs=$({
	requested
	"${cross}gcc" --version
	cd "$src"
	find . -name 'Kconfig*' -not -path './.git/*' -print0 | sort -z | xargs -0 cat
} | sha256sum)

if [ "$(cat "$obj/.config.inputs" 2>/dev/null)" != "$inputs" ] || [ ! -f "$obj/.config" ]; then
	rm -f "$obj/.config.inputs"
	run_logged "$log/config.log" "$what: configuration" configure ||
		die $EX_BUILD "configuration of $what failed: see $log/config.log"
	echo "$inputs" >"$obj/.config.inputs"
fi
lost=$(not_granted)
if [ -n "$lost" ]; then
	rm -f "$obj/.config.inputs"
	die $EX_BUILD "$what: requested, but not in $obj/.config, for lack of a dependency or because" \
		"something selects it (look with make -C $src O=$obj ARCH=$karch menuconfig; the next build" \
		"makes it anew):"$'\n'"$lost"
fi

if [ -n "$prepare" ]; then
	run_logged "$log/build.log" "$what: prepare" kmake prepare ||
		die $EX_BUILD "make prepare for $what fails: see $log/build.log"
	exit
fi

run_logged "$log/build.log" "$what: kernel" kmake "${image##*/}" ||
	die $EX_BUILD "the kernel for $what does not build: see $log/build.log"
cmp -s "$obj/$image" "$dir/kernel.img" || cp "$obj/$image" "$dir/kernel.img"

# install_tests COMPILER DIRECTORY: static, since the guest has no libraries. From
# nothing each time: kselftest knows nothing of changed headers and removed tests.
# The headers are those of $karch in $obj.
install_tests()
{
	rm -rf "${dir:?}/$2" "${obj:?}/$2"
	make -C "$src/tools/testing/selftests" O="$obj" BUILD="$obj/$2" \
		ARCH="$karch" CROSS_COMPILE="$cross" CC="$1" USERLDFLAGS=-static \
		TARGETS=namespaces FORCE_TARGETS=1 INSTALL_PATH="$dir/$2" -j"$jobs" install
}

if [ -n "$tests" ]; then
	run_logged "$log/headers.log" "$what: headers" kmake headers ||
		die $EX_BUILD "the headers for $what do not build: see $log/headers.log"
	run_logged "$log/selftests.log" "$what: selftests" install_tests "$ccache${cross}gcc" selftests ||
		die $EX_BUILD "the selftests for $what do not build: see $log/selftests.log"
	rm -rf "$dir/selftests32" "$no32"
	if [ -n "$compat_cc" ] && echo 'int main(void) { return 0; }' |
	   $compat_cc -static -x c -o "$log/compat-cc" - 2>"$log/compat-cc.log"; then
		if [ "$compat_karch" != "$karch" ]; then
			karch=$compat_karch obj=$obj/headers32
			run_logged "$log/headers32.log" "$what: headers for 32-bit programs" kmake headers ||
				die $EX_BUILD "these headers do not build: see $log/headers32.log"
		fi
		run_logged "$log/selftests32.log" "$what: 32-bit selftests" install_tests "$ccache$compat_cc" selftests32 ||
			die $EX_BUILD "the 32-bit selftests for $what do not build: see $log/selftests32.log"
	elif [ -n "$compat_cc" ]; then
		say "note: $compat_cc cannot link, 32-bit selftests are left out (apt-get install ${packages_optional[*]})" |
			tee "$no32"		# for boot.sh and test.sh
	fi
fi

# The selftests may be of another tree, and the tree have changed meanwhile.
[ -n "$tests" ] || [ "$built" = "$before" ] || built=tree=unknown
[ "$(source_state)" = "$built" ] || [ "$built" = tree=unknown ] || built+=$'\n'dirty=yes
echo "$built" >"$dir/built"
say "$what: done, $dir"
