# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Sourced by every script: where things are, exit codes, messages, and what an
# architecture is. Every variable here is meant for whoever sources it.
# shellcheck disable=SC2034

set -euo pipefail

top=$(cd -P "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
build=${NSTREE_BUILD:-$top/build}
cache=${NSTREE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nstree}
series=$top/series		# for the newest base that is known
older=$top/series.older		# what older ones need besides
patches=$top/patches
mirror=tools/testing/selftests/namespaces	# the same path here and in the kernel
linux=$build/linux
versions=$top/configs/base.versions
bases=$top/configs/bases
base_tests=$top/configs/base-selftests	# which of the base's own tests are run,
base_results=$base_tests.results	# and what they gave on its kernel

EX_PASS=0
EX_FAIL=1	# a test failed
		# 2 is what usage errors and GNU make use
EX_SPLAT=3	# the kernel complained: WARN, BUG, lockdep, ...
EX_LOST=4	# the guest went away without finishing
EX_TIMEOUT=5
EX_BUILD=6	# nothing was tested: tool, download, patch, configuration, build

# Elapsed time counts from the outermost script.
export NSTREE_T0=${NSTREE_T0:-$EPOCHSECONDS}

elapsed()
{
	local s=$((EPOCHSECONDS - NSTREE_T0))

	printf '%02d:%02d' $((s / 60)) $((s % 60))
}

say()
{
	printf '[%s] %s\n' "$(elapsed)" "$*"
}

# die CODE message...: say what is wrong and how to put it right
die()
{
	local code=$1

	shift
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit "$code"
}

# judge COMMAND...: what reads logs and decides (scripts/judge/__main__.py)
judge()
{
	python3 -B "$top/scripts/judge" "$@"
}

# Name the package, so that the remedy is one command.
need()
{
	local tool=$1 package=$2

	command -v "$tool" >/dev/null ||
		die $EX_BUILD "$tool not found: run \`make deps\`, or apt-get install $package"
}

# The loop behind run_logged: a plain line now and then, or one line that is
# rewritten on a terminal. Ends with the script if that is killed.
progress()
{
	local log=$1 what=$2 n=0 last

	while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
		n=$((n + 1))
		last=$(tail -c 200 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1 | tr -cd '[:print:]') || :
		if [ -t 1 ]; then
			printf '\r\033[K%.79s' "[$(elapsed)] $what: $last"
		elif [ $((n % 15)) = 0 ]; then
			say "$what: $last"
		fi
	done
}

# run_logged LOGFILE description cmd...: a long step. Its output goes to the log;
# on failure the end of the log is shown and its code returned. If cmd is a function,
# each of its steps has to say `|| return`, as set -e is off in what is tested.
run_logged()
{
	local log=$1 what=$2 rc=0 ticker

	shift 2
	mkdir -p "${log%/*}"
	: >"$log"
	say "$what"
	# Its sleep may outlive this script, and must not hold a lock of it.
	{ [ -z "${lock:-}" ] || exec {lock}>&-; progress "$log" "$what"; } &
	ticker=$!
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	kill $ticker 2>/dev/null || :
	wait $ticker 2>/dev/null || :
	[ ! -t 1 ] || printf '\r\033[K'
	if [ $rc != 0 ]; then
		say "$what: FAILED with code $rc; the end of $log:" >&2
		tail -n 40 "$log" | sed 's/^/  | /' >&2
	fi
	return $rc
}

# The pinned point releases: "version debian-revision sha256 tree", the base first.
# pinned FIELD [VERSION]
pinned()
{
	awk -v f="$1" -v v="${2:-}" '
		/^#/ || !NF { next }
		v == "" || $1 == v { print $f; exit }' "$versions"
}

base_version=$(pinned 1)

# git on the kernel tree, out of reach of the user's settings: they could change
# what a patch looks like (diff.*, format.*, am.*, core.autocrlf, hooks).
kgit()
{
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -C "$linux" "$@"
}

# worktree DIR COMMIT: a checkout of build/linux, if it is not there yet
worktree()
{
	[ ! -e "$1/Makefile" ] || return 0
	kgit rev-parse -q --verify "$2^{commit}" >/dev/null || die $EX_BUILD "build/linux is not there: \`make tree\` first"
	kgit worktree prune
	run_logged "$build/log/worktree.log" "checking out $2 in ${1#"$top/"}" kgit worktree add -f --detach "$1" "$2" ||
		die $EX_BUILD "cannot check out $2 in $1: see $build/log/worktree.log"
}

# The last commit of build/linux, and series and patches/, as they were when they last
# said the same. Whichever is not like that any more was changed since.
synced=$linux/.git/nstree-synced

patches_on_disk()
{
	series_names
	(cd "$patches" 2>/dev/null &&
		find . -name '*.patch' -type f -printf '%P\n' | LC_ALL=C sort | xargs -r sha256sum) || :
}

synced_now()
{
	{ kgit rev-parse HEAD; patches_on_disk; } >"$synced"
}

# Whether series and patches/ are as they were then
patches_synced()
{
	[ "$(tail -n +2 "$synced" 2>/dev/null)" = "$(patches_on_disk)" ]
}

# The patches that series names, in its order
series_names()
{
	[ ! -e "$series" ] || sed 's/#.*//; s/[[:space:]]*$//; /^$/d' "$series"
}

# The guards that $older defines: "name since file text upstream", with tabs between
guards()
{
	[ ! -e "$older" ] || awk '
		/^#: [^ ]/ {
			name = $2 "\t" $3
			sub(/^#: [^ ]+ +[^ ]+ +/, "")
			upstream = $0
		}
		/^#:  / {
			file = $2
			sub(/^#: +[^ ]+ +/, "")
			print name "\t" file "\t" $0 "\t" upstream
		}' "$older"
}

# guards_in REPOSITORY COMMIT: those that are set for this tree, by what is in it
guards_in()
{
	local name since file text upstream

	while IFS=$'\t' read -r name since file text upstream; do
		! git -C "$1" show "$2:$file" 2>/dev/null | tr -s '[:space:]' ' ' |
			grep -F -e "$text" >/dev/null || echo "$name"
	done < <(guards)
}

# guards_at VERSION: those that are set for this release, by its number
guards_at()
{
	local name since rest

	while IFS=$'\t' read -r name since rest; do
		[ "$(printf '%s\n' "$since" "$1" | sort -V | head -n 1)" != "$since" ] || echo "$name"
	done < <(guards)
}

# series_forms GUARD...: "patch form" in order, where these guards are set. The form is
# a path below patches/, or -GUARD where that guard leaves the patch out. A patch is
# taken in the first form, of older bases first, whose guards all agree.
series_forms()
{
	local files=()

	[ ! -e "$older" ] || files+=("$older")
	[ ! -e "$series" ] || files+=("$series")
	[ ${#files[@]} = 0 ] || awk -v set=" $* " '
		/^[ \t]*(#|$)/ { next }
		{
			name = path = $1
			sub(/.*\//, "", name)
			against = ""
			for (i = 2; i <= NF; i++)
				if ($i ~ /^#[-+]./ && (index(set, " " substr($i, 3) " ") > 0) != ($i ~ /^#\+/))
					against = "-" substr($i, 3)
			if (!(name in form) || form[name] ~ /^-/)
				form[name] = against == "" ? path : against
		}
		END {
			for (name in form)
				print name, form[name]
		}' "${files[@]}" | LC_ALL=C sort
}

# The parts of the series, in its order. A line "# PART name: what it is (needs a, b)" in
# series begins one.
part_names()
{
	[ ! -e "$series" ] || sed -n 's/^# PART \([^:[:space:]]*\).*/\1/p' "$series"
}

# series_parts: "patch part needs..." of each patch. What only older bases have is of the
# part of its number.
series_parts()
{
	awk '
		FNR == 1	{ file++ }
		file == 1 && /^# PART / {
			part = $3
			sub(/:$/, "", part)
			needs = ""
			if (match($0, /\(needs [^)]*\)/)) {
				needs = substr($0, RSTART + 7, RLENGTH - 8)
				gsub(/,/, " ", needs)
			}
		}
		/^[ \t]*(#|$)/	{ next }
		{
			name = $1
			sub(/.*\//, "", name)
			print name, (file == 1 ? part " " needs : "-")
		}' "$series" "$([ -e "$older" ] && echo "$older" || echo /dev/null)" | LC_ALL=C sort -k1,1 -k2,2r | awk '
		$2 == "-"	{ $2 = last }
		!seen[$1]++	{ last = $2; for (i = 3; i <= NF; i++) last = last " " $i; print }'
}

# part_patches PART...: the patches of these parts, and of those that they need
part_patches()
{
	series_parts | awk -v want="$*" '
		function take(part,	i, n, more) {
			if (part in taken)
				return
			taken[part] = 1
			n = split(needs[part], more, " ")
			for (i = 1; i <= n; i++)
				take(more[i])
		}
		{
			name[NR] = $1
			part[NR] = $2
			needs[$2] = $0
			sub(/^[^ ]+ [^ ]+ */, "", needs[$2])
		}
		END {
			n = split(want, first, " ")
			for (i = 1; i <= n; i++)
				take(first[i])
			for (i = 1; i <= NR; i++)
				if (part[i] in taken)
					print name[i]
		}'
}

# Those parts that with what they need are not the beginning of the series, which is
# what verify-each.sh has.
part_branches()
{
	local p

	for p in $(part_names); do
		cmp -s <(part_patches "$p") <(series_parts | cut -d' ' -f1 | head -n "$(part_patches "$p" | wc -l)") ||
			echo "$p"
	done
}

# The part of a patch, on stdin, that changes files, without what differs from base to
# base in spite of that: line numbers, what git shows beside them, names of blobs.
changes()
{
	sed -n '/^diff --git /,$ { /^index [0-9a-f]*\.\./d; s/^@@ .*/@@/; p }'
}

# Say why the kernel tree must not be thrown away; fails if there is nothing to lose.
tree_unexported()
{
	[ -d "$linux/.git" ] || return 1
	if [ -d "$linux/.git/rebase-apply" ] || [ -d "$linux/.git/rebase-merge" ]; then
		echo "a git am or rebase is under way in build/linux (git -C build/linux am --abort ends it)"
	elif [ -n "$(kgit status --porcelain)" ]; then
		echo "build/linux has uncommitted changes"
	elif [ "$(kgit rev-parse HEAD)" != "$(kgit rev-parse base)" ] &&
	     [ "$(kgit rev-parse HEAD)" != "$(head -n 1 "$synced" 2>/dev/null)" ]; then
		echo "build/linux has commits that are not in patches/"
	else
		return 1
	fi
}

# unpack SOURCE DIR: a tarball, a git tree (its HEAD) or an unpacked source
unpack()
{
	mkdir -p "$2" || return
	if [ -f "$1" ]; then
		tar -xf "$1" -C "$2" --strip-components=1 --no-same-owner
	elif [ -e "$1/.git" ]; then
		git -C "$1" archive HEAD | tar -x -C "$2"
	else
		tar -c -C "$1" . | tar -x -C "$2"
	fi
}

# The first lines of the top Makefile of a tarball or directory as 6.18.15.
source_version()
{
	local makefile

	if [ -f "$1" ]; then
		makefile=$(tar -xOf "$1" --occurrence=1 --wildcards --no-wildcards-match-slash \
			'*/Makefile' 2>/dev/null | head -n 10) || :
	elif [ -e "$1/.git" ]; then
		makefile=$(git -C "$1" show HEAD:Makefile 2>/dev/null | head -n 10) || :
	else
		makefile=$(head -n 10 "$1/Makefile" 2>/dev/null) || :
	fi
	awk '/^(VERSION|PATCHLEVEL|SUBLEVEL) = /{ v = v (v == "" ? "" : ".") $3 } END { print v }' <<<"$makefile"
}

# The releases that the series is known to fit, oldest first
base_list()
{
	sed -n 's/^\(6\.[^[:space:]]*\).*/\1/p' "$bases"
}

# base_source VERSION: its source, if it is at hand or can be had
base_source()
{
	local f

	if [ -n "${KSRC:-}" ] && [ "$(source_version "$KSRC")" = "$1" ]; then
		realpath "$KSRC"
		return
	fi
	for f in "$cache/linux-$1" "$cache/linux-$1".tar*; do
		[[ $f != *.sha256 && -e $f ]] || continue
		realpath "$f"
		return
	done
	[ -n "$(pinned 3 "$1")" ] || { echo "$1: no source of it in $cache/linux-$1 (a tree, a link to one, or .tar.*)" >&2; return 1; }
	"$top/scripts/fetch.sh" "$1"
}

# small_base SOURCE DIR: a git repository of the files of that source that matter to
# the series. Equal there is equal everywhere, in a hundredth of the time.
small_base()
{
	local root

	rm -rf "$2"
	mkdir -p "$2"
	{
		echo Makefile
		guards | cut -f3
		find "$patches" -name '*.patch' -exec sed -n 's|^diff --git a/\(.*\) b/.*|\1|p' {} +
	} | sort -u >"$2.files"
	if [ -f "$1" ]; then
		root=$(tar -tf "$1" 2>/dev/null | head -n 1) || :
		sed "s|^|${root%%/*}/|" "$2.files" >"$2.list"
		# What it does not have is for the patches to complain about.
		LC_ALL=C tar -xf "$1" -C "$2" --strip-components=1 -T "$2.list" 2>"$2.err" ||
			! grep -v -E 'Not found in archive|Exiting with failure status' "$2.err" || return 1
	elif [ -e "$1/.git" ]; then
		git -C "$1" ls-tree -r --name-only HEAD | grep -xF -f "$2.files" |
			xargs -d '\n' git -C "$1" archive HEAD -- | tar -x -C "$2"
	else
		tar -c -C "$1" --ignore-failed-read -T "$2.files" 2>/dev/null | tar -x -C "$2"
	fi
	git init -q -b base "$2"
	git -C "$2" add -Af .
	git -C "$2" -c user.name=nstree -c user.email=nstree@localhost \
		commit -q --no-gpg-sign --no-verify -m base
}

# The names of all architectures, for messages and loops.
arch_list()
{
	local f list=

	for f in "$top"/configs/arch/*.conf; do
		f=${f##*/}
		list="$list${list:+ }${f%.conf}"
	done
	echo "$list"
}

# Where one architecture will do: the host's own, if it is there, as it needs no
# compiler more.
default_arch()
{
	local host

	host=$(uname -m)
	[ "$host" != aarch64 ] || host=arm64
	[ -f "$top/configs/arch/$host.conf" ] || host=$(arch_list | cut -d' ' -f1)
	echo "$host"
}

# A variant of an architecture is the same one with configs/VARIANT.config on top.
# DEBUG=1 asks for configs/debug.config.
variant=${VARIANT:-}
[ -z "${DEBUG:-}" ] || [ "$DEBUG" = 0 ] || variant=debug

# What is built and booted unless ARCHES= says otherwise
default_arches()
{
	local a list=

	for a in $(arch_list); do
		! grep -q '^by_default=yes' "$top/configs/arch/$a.conf" || list="$list${list:+ }$a"
	done
	echo "$list"
}

# What makes a boot another one than that of the series as it is built
by_hand=(KERNEL APPEND PLANT SMP MEMORY ACCEL)

# arch_load ARCH: read configs/arch/ARCH.conf and check it. Sets what the file
# sets (README.md, "Add an architecture"), and
#   arch	its name
#   out		where it is built: obj/, kernel.img, selftests/, log/
#   out_base	the same for the unpatched base
arch_load()
{
	local v conf=$top/configs/arch/$1.conf

	[ -f "$conf" ] ||
		die 2 "no architecture '$1' (ARCH or ARCHES, from the environment too):" \
			"there are $(arch_list); a new one is one file in configs/arch/"

	arch=$1 karch='' cross='' image='' virtio='' console='' time_factor=1
	compat_cc='' compat_karch='' kconfig='' kconfig_debug='' packages=() packages_cross=() packages_optional=()
	qemu=() qemu_bench=() cmdline='' cmdline_tsc='' cmdline_bench='' cpus=2 lacks='' by_default=no
	defconfig='' no_clang=no

	# shellcheck source=/dev/null
	. "$conf"

	for v in karch cross image virtio console time_factor kconfig qemu; do
		[ -n "${!v}" ] || die $EX_BUILD "$conf: $v is not set"
	done
	case $virtio in
	device|pci|ccw)	;;
	*)		die $EX_BUILD "$conf: virtio=$virtio: one of device, pci, ccw" ;;
	esac
	[ "$time_factor" -ge 1 ] 2>/dev/null ||
		die $EX_BUILD "$conf: time_factor=$time_factor: a whole number from 1"

	# The host's own compiler needs no prefix and no packages for crossing.
	if [ "${cross%%-*}" = "$(uname -m)" ]; then
		cross='' packages_cross=()
	fi
	packages+=("${packages_cross[@]}")
	compat_karch=${compat_karch:-$karch}
	# What 32-bit programs see is tested without DEBUG=1: once more would be 20 minutes.
	[ "$variant" != debug ] || compat_cc=''

	# A fragment that makes the kernel slower says how much.
	v=$(sed -n 's/^# time_factor=//p' "$top/configs/${variant:-base}.config" 2>/dev/null) || :
	time_factor=$((time_factor * ${v:-1}))

	out=$build/$arch${variant:+-$variant}
	out_base=$build/base/$arch${variant:+-$variant}
}

# What kernel builds see. The paths make a clone in any folder hit the same ccache:
# objects always lie at the same place relative to their source.
build_env()
{
	export CCACHE_DIR=${CCACHE_DIR:-$cache/ccache}
	export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-8G}
	export CCACHE_BASEDIR=$build
	export CCACHE_NOHASHDIR=1
	export CCACHE_COMPILERCHECK=content
	export CCACHE_SLOPPINESS=time_macros
	export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
	export KBUILD_BUILD_USER=nstree
	export KBUILD_BUILD_HOST=nstree
	export KBUILD_BUILD_VERSION=1
	export LOCALVERSION=
	export LC_ALL=C
	# Not from the caller: they would change what is built, or where.
	unset ARCH CROSS_COMPILE KBUILD_OUTPUT KCFLAGS KCPPFLAGS CFLAGS LDFLAGS
	unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
	unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

	jobs=${JOBS:-$(nproc)}
	ccache=
	! command -v ccache >/dev/null || ccache='ccache '
}

# kmake TARGET...: make of the kernel for the architecture that arch_load() read,
# from $src into $obj.
kmake()
{
	# shellcheck disable=SC2154	# the caller's
	make -C "$src" O="$obj" ARCH="$karch" CROSS_COMPILE="$cross" -j"$jobs" \
		CC="$ccache${cross}gcc" HOSTCC="${ccache}gcc" "$@"
}
