#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# compile.sh [ARCH...]: compile what the series touches as its users do, with W=1, by gcc
# and by clang: for each architecture with its defconfig, and on x86_64 and arm64 all of
# the touched folders with allmodconfig. An error is a failure, and so is a warning about
# one of the compiled files, or about a header that the series touches, that the base has
# not. Nothing is linked or booted. What passed already is not done again: interrupt it at
# will. Logs: build/compile/.
#
#	COMPILERS="gcc"		not clang as well
#	CONFIGS="defconfig"	not allmodconfig as well
#	STRICT=1		what cannot be compiled here is a failure

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

dir=$build/compile
min_clang=$(ARCH=x86_64 SRCARCH=x86 "$linux/scripts/min-tool-version.sh" llvm 2>/dev/null) || :

# The clang that is new enough for the kernel, and not called by its version if it
# need not be
find_clang()
{
	local c

	for c in clang $(compgen -c clang- | grep -x 'clang-[0-9]*' | sort -t- -k2 -n -u -r); do
		if "$c" --version 2>/dev/null | grep -o 'version [0-9.]*' | head -n 1 |
		   { read -r _ v; printf '%s\n' "$min_clang" "$v" | sort -V -C; }; then
			echo "$c"
			return
		fi
	done
	return 1
}

# C files and headers of the kernel itself that the series touches
touched()
{
	kgit diff --name-only --diff-filter=d base..HEAD -- '*.[ch]' ':!tools' ':!samples' ':!Documentation'
}

# Their folders, but for those of headers
folders()
{
	touched | grep '\.c$' | xargs -n 1 dirname | sort -u
}

# What of one folder is in the configuration, by its Makefile
objects_in()
{
	make -s --no-print-directory -C "$src" -f - conf="$obj/include/config/auto.conf" folder="$1" <<-'END'
		.DEFAULT_GOAL := list
		srctree := .
		src := $(folder)
		obj := $(folder)
		include $(conf)
		include $(folder)/Makefile
		parts = $(strip $($(1:.o=-objs)) $($(1:.o=-y)) $($(1:.o=-m)))
		list: ; @printf '%s\n' $(filter %.o,$(foreach o,$(obj-y) $(obj-m),$(or $(call parts,$o),$o)))
	END
}

# Which objects to compile. There may be others by the Makefile that have no C file.
objects()
{
	local d o

	for d in $(folders); do
		for o in $(objects_in "$d" | sort -u); do
			[ -e "$src/$d/${o%.o}.c" ] || continue
			if [ "$config" = allmodconfig ] || touched | grep -qx "$d/${o%.o}.c"; then
				echo "$d/$o"
			fi
		done
	done
}

compile()
{
	if [ "$cc" = gcc ]; then
		kmake "$@"
	else
		kmake CC="$ccache$clang" HOSTCC="${ccache}gcc" "$@"
	fi
}

configure()
{
	compile -s "$make_config" &&
	# All warnings are wanted, not the first one only.
	"$src/scripts/config" --file "$obj/.config" -d WERROR -d PPC_WERROR -d KVM_WERROR -d DRM_WERROR &&
	compile -s olddefconfig &&
	compile -s prepare
}

# "/where/ever/linux/fs/nsfs.c:1:2: warning: ..." -> "fs/nsfs.c: warning: ..."
warnings()
{
	grep -E '^[^ ]+:[0-9]+(:[0-9]+)?: (fatal )?(warning|error):' "$1" |
		sed -E "s|^$src/||; s|^(\.\./)+linux/||; s/:[0-9]+(:[0-9]+)?:/:/" | sort -u || :
}

# of_commit NAME SOURCE OBJECT...: all, if none is given
of_commit()
{
	local rc=0 o=()

	name=$1 src=$2 obj=$out/$1
	shift 2
	mkdir -p "$obj"
	configure >"$out/$name.config.log" 2>&1 ||
		{ tail -n 20 "$out/$name.config.log"; return 1; }
	mapfile -t o < <([ $# = 0 ] && objects || printf '%s\n' "$@")
	[ ${#o[@]} -ge 10 ] || [ "$name" = base ] || { echo "only ${#o[@]} objects: ${o[*]}"; return 1; }
	echo "${#o[@]}" >"$out/$name.objects"
	# Who is not compiled does not warn.
	(cd "$obj" && rm -f "${o[@]}")
	compile -s -k W=1 "${o[@]}" >"$out/$name.log" 2>&1 || rc=$?
	warnings "$out/$name.log" >"$out/$name.warnings"
	return $rc
}

# one: $arch with $config by $cc
one()
{
	local key files=()

	out=$dir/$arch-$config-$cc
	key=$({
		kgit rev-parse 'HEAD^{tree}' base
		kgit diff HEAD
		"${cross}gcc" --version
		[ "$cc" = gcc ] || "$clang" --version
		cat "$0" "$top/configs/arch/$arch.conf"
	} | sha256sum)
	[ "$(cat "$out/passed" 2>/dev/null)" != "$key" ] || return 0
	mkdir -p "$out"
	rm -f "$out/passed"
	if ! of_commit series "$linux"; then
		grep -E '(error|Error)' "$out/series.log" || tail -n 20 "$out/series.log"
		return 1
	fi
	if [ -s "$out/series.warnings" ]; then
		# Only what warned here has to be compiled there.
		mapfile -t files < <(sed -n 's/^\([^: ]*\)\.c: .*/\1.c/p' "$out/series.warnings" | sort -u |
			xargs -r git -C "$linux" ls-tree --name-only base -- | sed 's/\.c$/.o/')
		: >"$out/base.warnings"
		if [ ${#files[@]} != 0 ]; then
			worktree "$build/base/linux" base
			of_commit base "$build/base/linux" "${files[@]}" || return 1
		fi
		# In headers, those of the series.
		comm -13 "$out/base.warnings" "$out/series.warnings" |
			grep -E -f <(touched | grep '\.h$' | sed 's/[.]/\\./g; s/^/^/; s/$/:/'; echo '^[^:]*\.c:') >"$out/new" || :
		if [ -s "$out/new" ]; then
			cat "$out/new"
			return 1
		fi
	fi
	echo "$key" >"$out/passed"
}

arches=("$@")
[ $# != 0 ] || read -ra arches < <(arch_list)
for arch in "${arches[@]}"; do
	arch_load "$arch"
done
[ -e "$linux/Makefile" ] || die $EX_BUILD "build/linux is not there: \`make tree\` first"
build_env
mkdir -p "$dir"
clang=$(find_clang) || clang=

pass=0 fail=0 skip=0
note()
{
	say "$1 $arch, $config, $cc$2"
}
for arch in "${arches[@]}"; do
	variant=
	arch_load "$arch"
	for config in ${CONFIGS:-allmodconfig defconfig}; do
		make_config=$config
		[ "$config" != defconfig ] || make_config=${defconfig:-defconfig}
		[ "$config" != allmodconfig ] || [[ $arch == x86_64 || $arch == arm64 ]] || continue
		for cc in ${COMPILERS:-gcc clang}; do
			if ! command -v "${cross}gcc" >/dev/null; then
				# Its assembler and linker serve clang, too.
				note SKIP ": no ${cross}gcc: run \`make deps\`, or apt-get install ${packages_cross[*]:-gcc}"
				skip=$((skip + 1))
			elif [ "$cc" = clang ] && [ "$no_clang" = yes ]; then
				continue
			elif [ "$cc" = clang ] && [ -z "$clang" ]; then
				note SKIP ": no clang from $min_clang on: apt-get install clang-19"
				skip=$((skip + 1))
			elif one >"$dir/log" 2>&1; then
				note PASS ": $(cat "$out/series.objects") objects, $(wc -l <"$out/series.warnings") warnings, none of them new"
				pass=$((pass + 1))
			else
				note FAIL "; $out:"
				sed -n '1,40s/^/  | /p' "$dir/log"
				fail=$((fail + 1))
			fi
		done
	done
done

echo "$pass configurations compile without a new warning, $fail do not, $skip skipped"
[ $fail = 0 ] || exit $EX_FAIL
[ $skip = 0 ] || [ -z "${STRICT:-}" ] || [ "$STRICT" = 0 ] ||
	die $EX_FAIL "STRICT=1, and some were skipped: what they lack is above"
