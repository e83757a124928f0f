#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# verify.sh [CHECK...]: is the series what it should be? Each check is one function
# below, and one line of the result; all of them, by default. Logs: build/verify/.
#
#	ARCH=name	the architecture that sparse and W=1 look at
#	COCCI=1		coccicheck too, which takes minutes
#	PARTS="names"	parts that are to be compiled alone; those that are not the beginning
#			of the series, by default
#	STRICT=1	what cannot be checked here is a failure, but for coccicheck, and the
#			older bases where they cannot be had

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

dir=$build/verify
skipped=77	# exit code of a check that cannot be done here; it has said why

# What checkpatch says that cannot be put right, "TYPE file" (extended regular
# expressions, whole line). A new file: it asks about MAINTAINERS whenever there is
# one, which the series leaves alone. Commits: those of mainline are not in this tree.
# The others: what the one list of namespace types expands to cannot be in parentheses,
# and may need the structure or the flag alone. What takes members of different types, or
# their names, has to be a macro. The copy of a header below tools/ has its long line, that
# of another no BIT(). User space gets ENOSYS, and so looks for it.
checkpatch_ignore='
FILE_PATH_CHANGES .*
UNKNOWN_COMMIT_ID .*
COMPLEX_MACRO include/linux/ns/ns_common_types.h
COMPLEX_MACRO include/linux/ns_common.h
MACRO_ARG_(UNUSED|REUSE) include/linux/ns/ns_common_types.h
MACRO_ARG_(REUSE|PRECEDENCE) include/linux/ns_common.h
MACRO_ARG_REUSE kernel/nstree.c
MACRO_ARG_REUSE fs/pidfs.c
MACRO_ARG_(REUSE|PRECEDENCE) kernel/nsproxy.c
LONG_LINE_COMMENT tools/include/uapi/linux/nsfs.h
ENOSYS tools/testing/selftests/namespaces/(listns.h|listns_examples_test.c|mntns_marks_test.c)
BIT_MACRO tools/include/uapi/linux/mount.h
BIT_MACRO tools/perf/trace/beauty/include/uapi/linux/mount.h
'

# Functions in which sparse sees a lock that is not given back: it knows nothing of guards.
sparse_guards="'(copy_tree_for|do_move_mount_beneath_first|mnt_ns_add_tree|path_is_first_mount)'"

mapfile -t checks < <(base_list | sed 's/^/base_/')
checks=(series status am quilt "${checks[@]}" parts
	export selftests syscalls checkpatch kernel_doc rst man W1 sparse coccicheck shellcheck
	mypy active_model mutants)

about()
{
	case $1 in
	series)		echo "series and patches/ agree" ;;
	status)		echo "each patch has its row in configs/status.md" ;;
	am)		echo "git am gives the tree in build/linux" ;;
	quilt)		echo "quilt push -a gives the same tree, without fuzz" ;;
	base_*)		echo "the series applies to ${1#base_}, with the same outcome" ;;
	parts)		echo "each part of the series applies alone, with what it needs, and compiles" ;;
	export)		echo "export changes nothing" ;;
	selftests)	echo "$mirror is what the series leaves" ;;
	syscalls)	echo "listns is in every system call table" ;;
	checkpatch)	echo "checkpatch --strict" ;;
	kernel_doc)	echo "kernel-doc -Wall, files of the series" ;;
	rst)		echo "Documentation/, pages of the series, by sphinx" ;;
	man)		echo "man/, by mandoc and groff, and the examples in it" ;;
	W1)		echo "W=1, files of the series" ;;
	sparse)		echo "sparse, files of the series" ;;
	coccicheck)	echo "coccicheck, files of the series" ;;
	shellcheck)	echo "shellcheck, all scripts" ;;
	mypy)		echo "mypy --strict, what judges" ;;
	active_model)	echo "active references, all interleavings of a few threads" ;;
	mutants)	echo "configs/mutants fits the series" ;;
	*)		die 2 "no check '$1': there are ${checks[*]}" ;;
	esac
}

# Fails, with the reason on stdout, without the tool of that Debian package.
have()
{
	command -v "$1" >/dev/null || { echo "no $1: apt-get install $2"; return 1; }
}

# The patches that build/linux is made of, as paths below patches/
names()
{
	local set

	mapfile -t set < <(guards_in "$linux" base)
	series_forms "${set[@]}" | sed 's/.* //; /^-/d'
}

# All files that any patch touches
touched()
{
	names | (cd "$patches" && xargs -r sed -n 's|^diff --git a/\(.*\) b/.*|\1|p') | sort -u
}

# Those of them that COMMIT has
touched_in()
{
	touched | xargs -r -d '\n' git -C "$linux" ls-tree -r --name-only "$1" --
}

# small DIR COMMIT: a repository of just the touched files, as they are in COMMIT.
# Equal there is equal everywhere, in a hundredth of the time.
small()
{
	rm -rf "$1"
	mkdir -p "$1"
	git init -q -b main "$1"
	touched_in "$2" | xargs -r -d '\n' git -C "$linux" archive "$2" -- | tar -x -C "$1"
	small_git "$1" add -Af .
	small_git "$1" commit -q --no-verify --allow-empty -m base
}

small_git()
{
	local d=$1

	shift
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
	GIT_AUTHOR_NAME=nstree GIT_AUTHOR_EMAIL=nstree@localhost \
	GIT_COMMITTER_NAME=nstree GIT_COMMITTER_EMAIL=nstree@localhost \
		git -C "$d" "$@"
}

# same DIR: its files are those of the series in build/linux
same()
{
	small "$dir/want" HEAD
	small_git "$1" add -Af . ':!patches' ':!series' ':!.pc'
	[ "$(small_git "$1" write-tree)" = "$(small_git "$dir/want" write-tree)" ] && return
	diff -qr -x .git -x .pc -x patches -x series "$dir/want" "$1"
	return 1
}

check_series()
{
	local rc=0 p n=0 path to recorded now

	[ "$(head -n 1 "$series")" = "# BASE v$(base_list | tail -n 1)" ] ||
		{ echo "series: the first line is not '# BASE v$(base_list | tail -n 1)', the last of configs/bases"; rc=1; }
	while read -r p _; do
		n=$((n + 1))
		[ "${p%%-*}" = "$(printf %04d $n)" ] || { echo "series: $p is in place $n"; rc=1; }
	done < <(series_forms)
	cat "$series" "$older" | sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' | sort >"$dir/named"
	[ "$(series_names | sort -c 2>&1)" = '' ] || { echo "series is not in the order of the numbers"; rc=1; }
	(cd "$patches" && find . -type f -printf '%P\n') | sort >"$dir/there"
	comm -3 --output-delimiter=' in patches/, not in series*: ' "$dir/named" "$dir/there" >"$dir/odd"
	! grep . "$dir/odd" || rc=1

	# Of two forms, one alone was changed.
	while read -r path recorded; do
		to=${path##*/}
		[ -e "$patches/$to" ] || continue
		now=$(changes <"$patches/$path" | sha256sum | cut -c 1-8):$(changes <"$patches/$to" | sha256sum | cut -c 1-8)
		[ "$now" != "$recorded" ] || continue
		if [ "${now%:*}" != "${recorded%:*}" ]; then
			echo "patches/$path was changed, and patches/$to was not: do so in a tree of v$(base_list | tail -n 1)"
		else
			echo "patches/$to was changed, and patches/$path was not: do so in a tree of v$base_version"
		fi
		echo "  (KSRC= and make tree, then make export; PAIRED=1 if there is nothing to change)"
		rc=1
	done < <(sed -n 's/^\([^#[:space:]]*\)[[:space:]]*#.* #=\([0-9a-f:]*\)$/\1 \2/p' "$older")
	return $rc
}

# Each patch has a row in the table of what became of it, and each row a patch.
check_status()
{
	find "$patches" -name '*.patch' -exec awk '
		/^Subject: / {
			sub(/^Subject: \[PATCH\] /, "")
			s = $0
			while ((getline line) > 0 && line ~ /^ /)
				s = s line
			print s
			nextfile
		}' {} + | sort -u >"$dir/subjects"
	sed -n '/^|---/,$ { /^|---/d; s/^| \(.*\) | [^|]* | [^|]* |$/\1/p }' "$top/configs/status.md" | sort >"$dir/rows"
	comm -3 --output-delimiter=' in configs/status.md, and no patch: ' "$dir/subjects" "$dir/rows" >"$dir/odd"
	! grep . "$dir/odd" && return
	echo "(a line without a text before it is a patch without a row in configs/status.md)"
	return 1
}

check_am()
{
	small "$dir/am" base
	names | sed "s|^|$patches/|" |
		(GIT_CONFIG_GLOBAL=/dev/null xargs -r git -C "$dir/am" -c user.name=nstree \
			-c user.email=nstree@localhost am --no-gpg-sign --no-3way) &&
	same "$dir/am"
}

check_quilt()
{
	have quilt quilt || return $skipped
	small "$dir/quilt" base
	names >"$dir/quilt/series"
	ln -s "$patches" "$dir/quilt/patches"
	(cd "$dir/quilt" && QUILT_PATCHES=patches QUILT_SERIES=series quilt --quiltrc=- push -a --fuzz=0) &&
		same "$dir/quilt"
}

# check_base base_VERSION: by scripts/am.sh; on the newest, git am and git quiltimport without
# it give the same tree. What comes out may differ from what the series
# makes of its default base in nothing but what the bases differ in.
check_base()
{
	local v=${1#base_} d=$dir/$1 source f rc=0 guards got

	source=$(base_source "$v" 2>"$d.log") ||
		{ cat "$d.log"; return $skipped; }
	small_base "$source" "$d"
	guards=$(guards_in "$d" base | sort)
	[ "$guards" = "$(guards_at "$v" | sort)" ] ||
		{ echo "$v does not have what series.older says: it has ${guards//$'\n'/ }"; rc=1; }
	if [ "$v" = "$(base_list | tail -n 1)" ]; then
		# shellcheck disable=SC2086
		got=$(series_forms $guards | sed 's/.* //; /^-/d')
		[ "$got" = "$(series_names)" ] || { echo "series is not what v$v takes"; rc=1; }
		small_git "$d" checkout -q -b plain
		(cd "$d" && GIT_CONFIG_GLOBAL=/dev/null git -c user.name=nstree -c user.email=nstree@localhost \
			am -q --no-gpg-sign --no-3way "$patches"/*.patch) || return 1
		small_git "$d" checkout -q -b imported base
		small_git "$d" quiltimport --patches "$patches" --series "$series" || return 1
	fi
	AT=base "$top/scripts/am.sh" "$d" || return 1
	for f in plain imported; do
		! small_git "$d" rev-parse -q --verify $f >/dev/null ||
			small_git "$d" diff --exit-code --stat $f nstree || rc=1
	done

	[ "$(source_version "$linux")" = "$base_version" ] || return $rc
	small "$dir/want" HEAD
	small "$dir/from" base
	# What the forms change: those for older bases, those of the same name, those with a guard
	{
		find "$patches" -path "$patches/*/*.patch" -exec sh -c \
			'for f; do cat "$f" "$0/${f##*/}" 2>/dev/null; done' "$patches" {} + || :
		sed -n 's/^\([^#[:space:]]*\)[[:space:]]*#[-+].*/\1/p' "$series" | sed "s|^|$patches/|" | xargs -r cat
	} | sed -n '/^\(---\|+++\)/d; s/^[-+]//p' >"$dir/forms"
	for f in $(touched); do
		for got in base nstree; do
			small_git "$d" show "$got:$f" >"$dir/$got" 2>/dev/null || : >"$dir/$got"
		done
		for got in want from; do
			[ -e "$dir/$got/$f" ] || { mkdir -p "$(dirname "$dir/$got/$f")" && : >"$dir/$got/$f"; }
		done
		{ diff "$dir/from/$f" "$dir/base" || :; } | sed -n 's/^[<>] //p' | cat - "$dir/forms" >"$dir/may"
		{ diff "$dir/want/$f" "$dir/nstree" || :; } | sed -n 's/^[<>] //p' >"$dir/differ"
		grep -vxF -f "$dir/may" "$dir/differ" >"$dir/odd" || continue
		echo "$f differs from that on v$base_version in more than what the bases differ in:"
		cat "$dir/odd"
		rc=1
	done
	return $rc
}

# A part that with what it needs is the beginning of the series applies if the series does.
# The others are applied to all bases that are at hand, and compiled on the default one and
# on the newest.
check_parts()
{
	local v d source p needs n rc=0 newest='' compile

	[ -n "$(part_names)" ] || { echo "the series has no parts"; return $skipped; }
	while read -r p needs; do
		[ -n "$needs" ] || { echo "series: $p is in no part"; rc=1; }
		for n in $needs; do
			part_names | grep -xF -e "$n" >/dev/null || { echo "series: there is no part '$n'"; rc=1; }
		done
	done < <(series_parts)
	[ $rc = 0 ] || return 1

	for v in $(base_list); do
		source=$(base_source "$v" 2>/dev/null) || { echo "$v is not at hand"; continue; }
		d=$dir/parts_$v
		small_base "$source" "$d"
		for p in $(part_branches); do
			PARTS=$p AT=base BRANCH=$p "$top/scripts/am.sh" "$d" ||
				{ echo "$v: part $p does not apply alone"; rc=1; }
		done
		newest=$v
	done
	[ $rc = 0 ] || return 1

	compile=${PARTS:-$(part_branches | xargs)}
	[ -n "$compile" ] || return 0
	# shellcheck disable=SC2086	# words
	BASE='' "$top/scripts/parts.sh" --compile $compile || return 1
	[ -n "$newest" ] && [ "$newest" != "$(source_version "$linux")" ] || return 0
	# shellcheck disable=SC2086	# words
	BASE=$newest "$top/scripts/parts.sh" --compile $compile
}

check_export()
{
	"$top/scripts/export.sh" --check
}

check_selftests()
{
	mkdir -p "$dir/selftests"
	rm -rf "$dir/selftests/tools"
	kgit archive HEAD "$mirror" | tar -x -C "$dir/selftests"
	diff -r "$dir/selftests/$mirror" "$top/$mirror"
}

# Every table must have the entry that its neighbour below suggests: one number on,
# same ABI, as many entry points. Tables are found, not listed.
check_syscalls()
{
	local f rc=0 n tables

	touched | grep 'syscall.*\.tbl$' >/dev/null || { echo "the series has no system call yet"; return $skipped; }
	mapfile -t tables < <(kgit ls-files '*syscall*.tbl')
	echo "${#tables[@]} tables"
	[ ${#tables[@]} -ge 25 ] || { echo "too few: where have they gone?"; rc=1; }
	for f in "${tables[@]}"; do
		n=470
		[ "${f/alpha/}" = "$f" ] || n=580
		awk -v n=$n -v f="$f" '
			/^#/ || NF < 3 { next }
			$3 == "listns" || $1 == n { found++; got = $1 " " $2 " " $3 " " $4 " " $5 }
			$1 < n && $1 > best { best = $1; abi = $2; cols = NF }
			END {
				want = n " " abi " listns sys_listns " (cols > 4 ? "sys_listns" : "")
				if (found != 1 || got != want || n - best > 10) {
					print f ": wanted \"" want "\", got \"" got "\" (" found + 0 " lines)"
					exit 1
				}
			}' "$linux/$f" || rc=1
	done

	mapfile -t tables < <(cd "$linux" && grep -rlE '^#define __NR_syscalls[[:space:]]+[0-9]' \
		--include=unistd*.h include arch tools)
	echo "${#tables[@]} headers with numbers"
	[ ${#tables[@]} -ge 2 ] || rc=1
	for f in "${tables[@]}"; do
		for n in '#define __NR_syscalls 471' '#define __NR_listns 470' \
			 '__SYSCALL(__NR_listns, sys_listns)'; do
			tr -s '[:blank:]' ' ' <"$linux/$f" | grep -xF "$n" >/dev/null || { echo "$f: no \"$n\""; rc=1; }
		done
	done
	return $rc
}

# checkpatch_one PATCH: what it says and is not ignored. --showfile gives
# "file:line: LEVEL:TYPE: text", and no file for what is in the message.
checkpatch_one()
{
	local patch=$1 out rc=0 key

	# It asks for the maintainers of every file, so a clean patch is remembered.
	key=$(cat "$patches/$patch" scripts/checkpatch.pl - <<<"$checkpatch_ignore" | sha256sum)
	key=$dir/checkpatch/${key%% *}
	[ ! -e "$key" ] || return 0

	out=$(perl scripts/checkpatch.pl --strict --terse --no-summary --show-types --showfile \
		"$patches/$patch" 2>"$key.err") || rc=$?
	out=$(awk -v ignore="$checkpatch_ignore" '
		BEGIN { n = split(ignore, re, "\n") }
		{
			file = type = $0
			sub(/:.*/, "", file)
			sub(/^[^ ]* [A-Z]+:/, "", type); sub(/:.*/, "", type)
			for (i = 1; i <= n; i++)
				if (re[i] != "" && (type " " file) ~ ("^" re[i] "$"))
					next
			print
		}' <<<"$out")
	if [ -n "$out" ]; then
		printf '%s: ' "${patch%%-*}"
		echo "${out//$'\n'/$'\n'${patch%%-*}: }"
		return 1
	elif [ $rc != 0 ] && [ $rc != 1 ]; then
		echo "$patch: checkpatch ended with code $rc"
		cat "$key.err"
		return 1
	fi
	mv "$key.err" "$key"
}

check_checkpatch()
{
	# Debian's python3, which has its modules, whatever else is installed
	local -x PATH=/usr/bin:$PATH

	have perl perl || return $skipped
	python3 -c 'import git, ply' 2>/dev/null ||
		echo "note: SPDX tags are not looked up: apt-get install python3-git python3-ply"
	mkdir -p "$dir/checkpatch"
	cd "$linux"
	export -f checkpatch_one
	export checkpatch_ignore dir patches
	# shellcheck disable=SC2016	# the inner shell expands it
	names | xargs -r -n 1 -P "$(nproc)" bash -c 'checkpatch_one "$1"' --
}

# C files and headers of the kernel itself that the series touches and COMMIT has
sources()
{
	touched_in "$1" | grep -E '\.[ch]$' | grep -vE '^(tools|samples|Documentation)/' || :
}

# new_only BEFORE AFTER: what only the series says. Numbers of lines do not count.
new_only()
{
	comm -13 <(sort -u "$1") <(sort -u "$2") >"$2.new"
	cat "$2.new"
	[ ! -s "$2.new" ]
}

# Where COMMIT, base or HEAD, is checked out
source_of()
{
	if [ "$1" = base ]; then
		echo "$build/base/linux"
	else
		echo "$linux"
	fi
}

check_kernel_doc()
{
	local c

	have python3 python3 || return $skipped
	worktree "$build/base/linux" base
	for c in base HEAD; do
		cd "$(source_of $c)"
		sources $c | xargs -r -d '\n' scripts/kernel-doc -none -Wall 2>&1 |
			sed -E 's/:[0-9]+( |:)/:\1/' >"$dir/kernel-doc.$c"
	done
	new_only "$dir/kernel-doc.base" "$dir/kernel-doc.HEAD"
}

check_rst()
{
	"$top/scripts/docs.sh" rst
}

check_man()
{
	"$top/scripts/docs.sh" man
}

# warnings_of COMMIT SOURCE OUT make-arguments: what the compiler or sparse says
# about touched files, when all touched files are compiled again
warnings_of()
{
	local commit=$1 src=$2 d=$3 obj=$3/obj f o=()

	shift 3
	"$top/scripts/build.sh" --prepare --src "$src" --out "$d" "$arch" >"$d.log" 2>&1 ||
		{ cat "$d.log"; return 1; }
	# Not what this configuration leaves out.
	for f in $(sources "$commit" | grep '\.c$'); do
		[ ! -e "$out/obj/${f%.c}.o" ] || o+=("${f%.c}.o")
	done
	[ ${#o[@]} != 0 ] || { echo "nothing that the series touches is in $out/obj" >&2; return 1; }
	(cd "$obj" && rm -f "${o[@]}")
	kmake -s -k "$@" "${o[@]}" >"$d.warnings" 2>&1 || { tail -n 20 "$d.warnings" >&2; return 1; }
	# "/where/ever/linux/fs/nsfs.c:1:2: warning: ..." -> "fs/nsfs.c: warning: ..."
	grep -E '^[^ ]+:[0-9]+(:[0-9]+)?: (warning|error):' "$d.warnings" |
		sed -E "s|^$src/||; s|^(\.\./)+linux/||; s/:[0-9]+(:[0-9]+)?:/:/
			s/(context imbalance in '[^']*').*/\1/" |
		grep -v -E "context imbalance in $sparse_guards" |
		grep -F -f <(sources "$commit" | sed 's/$/:/') || :
}

warnings()
{
	local c log=$dir/$1

	shift
	arch_load "$arch"
	build_env
	worktree "$build/base/linux" base
	"$top/scripts/build.sh" --kernel-only "$arch"	# what is in the configuration
	# Laid out like the other builds, so that ccache has it all.
	warnings_of base "$build/base/linux" "$build/base/verify-$arch" "$@" >"$log.base"
	warnings_of HEAD "$linux" "$build/verify-$arch" "$@" >"$log.HEAD"
	new_only "$log.base" "$log.HEAD"
}

check_W1()
{
	warnings W1 W=1
}

check_sparse()
{
	have sparse sparse || return $skipped
	warnings sparse C=2
}

check_coccicheck()
{
	local c f files

	[ -n "${COCCI:-}" ] || { echo "COCCI=1 asks for it"; return $skipped; }
	have spatch coccinelle || return $skipped
	worktree "$build/base/linux" base
	for c in base HEAD; do
		cd "$(source_of $c)"
		mapfile -t files < <(sources $c | grep '\.c$')
		find scripts/coccinelle -name '*.cocci' | sort | while read -r f; do
			grep -q 'virtual report' "$f" || continue
			timeout 300 spatch -D report --very-quiet --no-show-diff \
				-I include --cocci-file "$f" "${files[@]}" 2>/dev/null || :
		done | sed -E 's/:[0-9]+(:|-)[0-9-]*/:/' >"$dir/cocci.$c"
	done
	new_only "$dir/cocci.base" "$dir/cocci.HEAD"
}

check_shellcheck()
{
	local files

	have shellcheck shellcheck || return $skipped
	cd "$top"
	mapfile -t files < <({
		find scripts .ci -type f -exec grep -lE '^#!.*\bb?a?sh\b|shellcheck shell=' {} +
		ls configs/arch/*.conf
	} | sort -u)
	echo "${#files[@]} files"
	shellcheck -x "${files[@]}"
}

check_mypy()
{
	have mypy mypy || return $skipped
	cd "$top/scripts/judge"
	mypy --strict --cache-dir="$dir/mypy" .
}

check_active_model()
{
	"$top/scripts/host/active-model.sh" "$linux" "$dir/active-model"
}

check_mutants()
{
	"$top/scripts/mutants.sh" --check
}

arch_load "${ARCH:-$(default_arch)}"

[ -s "$series" ] || die $EX_BUILD "$series: there is no series here"
for c in "$@"; do
	about "$c" >/dev/null
done

rm -rf "$dir/log"
mkdir -p "$dir/log"
# Whatever is compared with build/linux needs it to be what series and patches/ say.
"$top/scripts/tree.sh" || die $EX_BUILD "the series does not apply: the rest cannot be checked"

pass=0 fail=0 skip=0 strict=0
for c in "${@:-${checks[@]}}"; do
	log=$dir/log/$c
	[ ! -t 1 ] || printf '%s ...' "$(about "$c")"
	set +e	# not for the check: `||` would turn it off there, too
	(set -e; "check_${c%%_6.*}" "$c") >"$log" 2>&1 </dev/null
	rc=$?
	set -e
	[ ! -t 1 ] || printf '\r\033[K'
	case $rc in
	0)
		say "PASS $(about "$c")"
		pass=$((pass + 1))
		;;
	"$skipped")
		say "SKIP $(about "$c"): $(tail -n 1 "$log")"
		skip=$((skip + 1))
		[[ $c == coccicheck || $c == base_* ]] || strict=1
		;;
	*)
		say "FAIL $(about "$c"); $log:"
		tail -n 30 "$log" | sed 's/^/  | /'
		fail=$((fail + 1))
		;;
	esac
done

echo "$pass checks passed, $fail failed, $skip skipped"
[ $fail = 0 ] || exit $EX_FAIL
[ $strict = 0 ] || [ -z "${STRICT:-}" ] ||
	die $EX_FAIL "STRICT=1, and some were skipped: what they lack is above"
