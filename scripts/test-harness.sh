#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Tests of the harness itself. What judges has a table of defects, planted in recordings
# of a good boot (scripts/testdata/recordings, scripts/judge/test_judge.py). And the
# scripts are run on a tree where a file is the kernel and a script is qemu. Takes some
# seconds; needs gcc and no kernel.
#
# test-harness.sh --boot ARCH: the same with real boots of what is built, where init
# misbehaves on purpose (PLANT=).

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/common.sh"

data=$top/scripts/testdata
nonce=00c0ffee00c0ffee
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
count=0 bad=0

# A tree with the architecture "fake": its kernel is a file, and its qemu a script that
# plays the good recording, or sends the signal $FAKE_SIGNAL to boot.sh and hangs.
fake_tree()
{
	unset TEST COUNT DEBUG VARIANT ARCHES RESUME STRICT LOGDIR KERNEL APPEND PLANT SMP MEMORY ACCEL
	fake=$work/fake out=$work/fake/build/fake
	rm -rf "$fake"
	mkdir -p "$out" "$fake/build/linux/samples/vfs"
	echo 'int main(void) { return 0; }' >"$fake/build/linux/samples/vfs/list-namespaces.c"
	cp -r "$top/configs" "$top/scripts" "$fake"
	rm "$fake"/configs/arch/*
	cat >"$fake/configs/arch/fake.conf" <<-END
		karch=fake image=vmlinux virtio=device console=ttyS0 kconfig=none
		by_default=yes
		cross=$(uname -m)-linux-gnu- compat_cc=gcc32 packages_optional=(package32)
		qemu=($fake/qemu)
	END
	cat >"$fake/qemu" <<-END
		#!/bin/bash
		[ "\$1" != --version ] || exit 0
		echo \$\$ >$work/qemu-pid
		if [ -n "\$FAKE_SIGNAL" ]; then
			kill -s "\$FAKE_SIGNAL" \$PPID
			exec sleep 60
		fi
		console="\$*" report="\$*" now="\$*"
		console=\${console#*id=console,path=} report=\${report#*id=report,path=} now=\${now#*NS_NONCE=}
		sed "s/$nonce/\${now%% *}/" $data/good.console >"\${console%% *}"
		sed "s/$nonce/\${now%% *}/" $data/good.ktap >"\${report%% *}"
		[[ \$* == *NS_MODE=base* ]] || exit 0
		[ "\$(wc -l <$work/boots)" -ge "\${FAKE_FAIL:-0}" ] ||
			sed -i 's/^  ok 1 fixture/  not ok 1 fixture/; s/^ok 2 .*/not ok 2 namespaces:two_test # exit=1/' \
				"\${report%% *}"
		echo boot >>$work/boots
	END
	: >"$work/boots"
	printf '# base \n' >"$fake/configs/base-selftests.results"
	printf '#!/bin/sh\n' >"$fake/scripts/test-harness.sh"
	chmod +x "$fake/qemu"
	: >"$out/kernel.img"
	echo tree=x >"$out/built"
	: >"$fake/build/linux/file"
	git_of "$fake/build/linux" x
}

# git_of DIR MESSAGE: a repository of what is there
git_of()
{
	git init -q -b main "$1"
	git -C "$1" config user.name x
	git -C "$1" config user.email x@y
	git -C "$1" add -A
	git -C "$1" commit -q --no-verify -m "$2"
}

# fake CODE REGEX WHAT COMMAND...: the command, in that tree
fake()
{
	local want=$1 regex=$2 what=$3 rc=0

	shift 3
	count=$((count + 1))
	# Without exit, the subshell is the command, and this one tells of its death.
	(cd "$fake" && "$@"; exit) >"$work/out" 2>&1 </dev/null || rc=$?
	if [ $rc != "$want" ] || { [ -n "$regex" ] && ! grep -q -E -e "$regex" "$work/out"; }; then
		bad=$((bad + 1))
		echo "not ok: $what: code $rc instead of $want, or no /$regex/ in the output"
		sed 's/^/  | /' "$work/out"
	fi
}

scripts_on_fakes()
{
	local s

	fake_tree
	# What is to be booted
	fake $EX_BUILD 'no selftests in .*build.sh fake' 'no selftests' scripts/boot.sh test fake
	mkdir -p "$out/selftests/namespaces"
	echo namespaces:one_test >"$out/selftests/kselftest-list.txt"
	cp "$fake/qemu" "$out/selftests/namespaces/one_test"
	fake $EX_BUILD 'no 32-bit selftests in .*build.sh fake' 'no 32-bit programs' scripts/boot.sh test fake
	echo 'gcc32 cannot link' >"$out/no-selftests32"
	fake 0 '^fake, without 32-bit programs: 5 passed, 0 failed' '32-bit programs left out' scripts/test.sh --no-build
	STRICT=1 fake $EX_FAIL 'make deps.*package32' 'the same with STRICT=1' scripts/test.sh --no-build
	fake 2 'ARCHES' 'no architecture at all' env ARCHES=' ' scripts/test.sh
	for s in 0 -1 abc; do
		TEST=one_test COUNT=$s fake 2 "COUNT=$s.*number" "a soak of $s rounds" scripts/boot.sh soak fake
	done

	# What is known of a boot later, and where
	fake 1 '' 'nothing that is not so' grep -E '^(dirty|by_hand)=' "$out/log/run"
	TEST=one_test fake 0 '^fake.*: 5 passed' 'one program' scripts/test.sh --no-build
	TEST=one_test fake 0 'PASS' 'a soak' scripts/boot.sh soak fake
	fake 0 'PASS' 'a list of namespaces' scripts/boot.sh run fake
	for s in 'run ^tree=x' 'run ^test=$' 'summary 5.0.0' "qemu-cmd $out/log/initramfs.cpio.gz" \
		 'one/run ^test=one_test$' 'soak/run ^mode=soak$' 'list/run ^mode=run$'; do
		fake 0 "${s#* }" "${s#* } in ${s%% *}" cat "$out/log/${s%% *}"
	done
	printf 'tree=y\ndirty=yes\n' >"$out/built"
	APPEND=a=b SMP=1 fake 0 '^fake.*, with APPEND=a=b, with SMP=1: 5 passed' 'words for the kernel' scripts/test.sh --no-build
	fake 0 'tree=y dirty=yes by_hand=APPEND=a=b by_hand=SMP=1' 'an edited tree, and words for the kernel' \
		xargs -a "$out/log/run"
	rm "$out/built"
	fake 0 '' 'a build that did not come to its end' scripts/test.sh --no-build
	fake 0 'tree=unknown' 'that nobody knows what it is of' cat "$out/log/run"
	echo '# base 6.18.1' >"$fake/configs/base-selftests.results"
	fake 0 "^fake, without 32-bit programs, without the base's tests: 5 passed" 'another base' \
		scripts/test.sh --no-build
	rm "$out/no-selftests32"
	mkdir -p "$out/selftests32/namespaces"
	echo namespaces:one_test >"$out/selftests32/kselftest-list.txt"
	cp "$fake/qemu" "$out/selftests32/namespaces/one_test"
	STRICT=1 fake $EX_FAIL "STRICT=1, and the base's tests" 'the same with STRICT=1' scripts/test.sh --no-build
	rm -r "$out/selftests32"
	echo 'gcc32 cannot link' >"$out/no-selftests32"
	fake 2 'one of fake' 'two architectures in one boot' scripts/boot.sh test fake fake

	# The base's tests, which are red on the first boots
	sed '1s/.*/# base \n# arches fake/' "$data/good.results" >"$fake/configs/base-selftests.results"
	cp -r "$out/selftests" "$out/base-selftests"
	for s in '0 base.s tests: 7 passed' '1 base.s tests, boot 2 after namespaces:two_test:.*: 7 passed' \
		 '2 base.s tests, boot 2 .*, boot 3 after .*: 7 passed'; do
		: >"$work/boots"
		FAKE_FAIL=${s%% *} fake 0 "^fake, the ${s#* }" "the base's tests, red ${s%% *} times" \
			scripts/test.sh --no-build
	done
	: >"$work/boots"
	FAKE_FAIL=3 fake $EX_FAIL '^10 passed, 2 failed' "the base's tests, always red" scripts/test.sh --no-build
	fake 0 'two_test:fixture.variant.third' 'what the first of these boots gave' cat "$out/log/base/boot-1/records"
	echo '# base 6.18.1' >"$fake/configs/base-selftests.results"

	# One at a time
	: >"$fake/build/linux/Makefile"
	fake $EX_BUILD "$out is in use" 'two boots at a time' flock "$out/.lock" scripts/boot.sh test fake
	fake $EX_BUILD "$out is in use" 'a build and a boot at a time' flock "$out/.lock" scripts/build.sh fake
	fake $EX_BUILD 'fake.*: 0 passed, 1 failed' 'a test beside them' flock "$out/.lock" scripts/test.sh --no-build
	fake 0 '5 0 0' 'the sum of the other' cat "$out/log/summary"

	# Ctrl-C. What is started in the background ignores it, and with that all below.
	for s in INT TERM; do
		FAKE_SIGNAL=$s fake $((128 + $(kill -l $s))) '' "SIG$s" \
			env --default-signal=INT,TERM scripts/boot.sh test fake
		fake 1 '' "the guest after SIG$s" kill -0 "$(cat "$work/qemu-pid")"
	done
	FAKE_SIGNAL=TERM fake 143 'interrupted' 'a boot that is killed, and another to come' \
		env ARCHES='fake fake' scripts/test.sh --no-build

	mkdir -p "$out/log/base"
	echo 9 0 0 | tee "$out/log/summary" >"$out/log/base/summary"
	fake $EX_BUILD '^fake.*: 0 passed, 1 failed' 'a build that fails' scripts/test.sh
	fake 0 '' 'no sums of a run before' find "$out/log" "$out/log/base" -maxdepth 1 -name summary -exec false {} +
}

# A base of one file, which the series takes through some lines
fake_series()
{
	local v

	v=$(awk '!/^#/ && NF { print $1; exit }' "$top/configs/base.versions")
	kernel=$fake/build/linux
	rm -rf "$kernel"
	mkdir -p "$kernel"
	IFS=. read -r major minor point <<<"$v"
	printf '%s = %s\n' VERSION "$major" PATCHLEVEL "$minor" SUBLEVEL "$point" >"$kernel/Makefile"
	echo base >"$kernel/file"
	git_of "$kernel" base
	git -C "$kernel" tag base
	echo "$v" >"$kernel/.git/nstree-origin"
}

# edit WORD: a commit that adds it
edit()
{
	echo "$1" >>"$kernel/file"
	git -C "$kernel" add -A
	git -C "$kernel" commit -q --no-verify -m "$1"
}

patches_and_tree()
{
	local major minor point kernel

	fake_tree
	fake_series
	mv "$kernel" "$fake/none"
	fake $EX_BUILD 'make tree.* first' 'an export before there is a tree' scripts/export.sh
	mv "$fake/none" "$kernel"
	fake 0 'base and 0 patches' 'a tree without patches' scripts/tree.sh
	edit one
	edit two
	fake 0 'series: 2 patches' 'an export' scripts/export.sh
	fake 0 '' 'the export again' scripts/export.sh --check
	fake 0 'one two' 'the patches in their order' sh -c 'cat patches/* | sed -n "s/^Subject: .PATCH. //p" | xargs'

	# Nothing is lost on either side
	echo mine >"$fake/patches/notes"
	git -C "$kernel" reset -q --hard HEAD~1
	fake 0 'del. 0002-two.patch' 'a commit that is dropped' scripts/export.sh
	fake 0 'mine' 'what is not of the series' cat patches/notes
	rm "$fake/patches/notes"
	edit three
	fake 0 'has commits that are not in patches.*left as it is' 'what is not exported' scripts/tree.sh
	sed -i 's/^+one/+uno/; s/^ one/ uno/' "$fake"/patches/*.patch
	fake $EX_BUILD 'git am the edits' 'an export over edits of patches/' scripts/export.sh
	fake $EX_BUILD 'changed, but.*has commits' 'edits over what is not exported' scripts/tree.sh
	git -C "$kernel" reset -q --hard HEAD~1
	fake 0 'base and 1 patches' 'edits that are applied' scripts/tree.sh
	fake 0 '^uno$' 'what they say' cat build/linux/file
	fake 0 'series: 1 patches' 'and exported' scripts/export.sh

	# A patch that does not apply, and one that did already
	sed 's/^ base/ bass/; s/^+uno/+due/' "$fake/patches/0001-one.patch" >"$fake/patches/0002-bad.patch"
	echo 0002-bad.patch >>"$fake/series"
	fake $EX_BUILD '0002-bad.patch does not apply' 'a patch that does not apply' scripts/tree.sh
	fake $EX_BUILD 'am .*under way' 'an export in the middle of it' scripts/export.sh
	fake $EX_BUILD 'am .*under way' 'and a tree' scripts/tree.sh
	git -C "$kernel" am --quit
	fake $EX_BUILD 'is incomplete' 'an export of what is left' scripts/export.sh
	fake $EX_BUILD 'commits that are not in patches' 'a tree of what is left' scripts/tree.sh
	git -C "$kernel" reset -q --hard base
	cp "$fake/patches/0001-one.patch" "$fake/patches/0002-bad.patch"
	fake $EX_BUILD '0002-bad.patch is already applied' 'one that is applied already' scripts/tree.sh
	echo 0003-none.patch >>"$fake/series"
	fake $EX_BUILD 'names 0003-none.patch' 'one that is not there' scripts/tree.sh
}

# Two bases, of which the newer one has something that the older one lacks
forms_and_bases()
{
	local major minor point kernel newer

	fake_tree
	fake_series
	unset AT BRANCH PARTS PAIRED KSRC FORCE
	printf '%s\n' a b c >>"$kernel/file"
	edit d
	git -C "$kernel" tag -f base >"$work/out"
	fake $EX_BUILD 'there is no series' 'nothing to apply' scripts/am.sh "$kernel"
	fake 0 'base and 0 patches' 'the base' scripts/tree.sh
	printf '%s\n' x y z >>"$kernel/file"
	edit one
	edit two
	fake 0 'series: 2 patches' 'an export' scripts/export.sh

	newer=$fake/newer
	mkdir "$newer"
	sed 's/^SUBLEVEL.*/SUBLEVEL = 999/' "$kernel/Makefile" >"$newer/Makefile"
	printf '%s\n' base a b c new >"$newer/file"
	git_of "$newer" 'newer than others'
	echo work >>"$newer/file"
	fake $EX_FAIL 'file: what changed it last' 'a patch that does not fit' scripts/am.sh newer
	fake $EX_FAIL 'newer than others' 'by whom' scripts/am.sh newer
	fake 1 '' 'and no branch' git -C newer rev-parse -q --verify nstree
	fake 2 'no parts' 'parts that there are not' env PARTS=x scripts/am.sh newer

	# Of the first, a form for each; the second has the same lines on both.
	mkdir "$fake/patches/older"
	cp "$fake/patches/0001-one.patch" "$fake/patches/older"
	sed -i 's/^ d$/ new/' "$fake/patches/0001-one.patch"
	cat >"$fake/series.older" <<-END
		#: new 6.18.999 what is new
		#:    file c new

		older/0001-one.patch	#-new
	END
	fake 0 'linux: base and 2' 'the older form where it was made' scripts/tree.sh
	fake 0 '' 'an export that renames nothing' scripts/export.sh
	fake 0 '#-new #=[0-9a-f]{8}:' 'what belongs together' cat series.older
	fake 0 'branch nstree, 2 patches' 'a form for each' scripts/am.sh newer
	fake 0 '^base a b c new x y z one two$' 'what it says' sh -c 'git -C newer show nstree:file | xargs'
	fake 0 '^base a b c new work$' 'what was being worked on' sh -c 'xargs <newer/file'
	git -C "$newer" checkout -q -f -b other
	sed -i 's/^new/like new/' "$newer/file"
	git -C "$newer" commit -qa -m 'a backport of what is new'
	fake $EX_FAIL 'may have "what is new"' 'a backport in other words' env BRANCH=g scripts/am.sh newer
	fake $EX_FAIL ' a backport of what is new' 'by whom' env BRANCH=g scripts/am.sh newer
	git -C "$newer" checkout -q main
	fake $EX_BUILD 'has a branch nstree already' 'the branch again' scripts/am.sh newer
	fake 0 'newer than' 'another branch' env BRANCH=b scripts/am.sh newer
	sed -i 's/^0001/# PART first: of all\n&/; s/^0002/# PART second: of two (needs first)\n&/' "$fake/series"
	fake 0 'branch e, 1 patches' 'one part' env BRANCH=e PARTS=first scripts/am.sh newer
	fake 0 'branch f, 2 patches' 'what a part needs' env BRANCH=f PARTS=second scripts/am.sh newer
	fake 2 'there are first second' 'a part that there is not' env PARTS=third scripts/am.sh newer
	fake 0 'up to date' 'parts in the series' scripts/tree.sh

	# On the newer base, another patch that does not fit, and that is mended there
	git -C "$newer" checkout -q main
	mv "$kernel" "$fake/older-linux"
	sed -i 's/^ new$/ odd/' "$fake/patches/0001-one.patch"
	fake $EX_BUILD '0001-one.patch does not apply' 'a form that does not fit' env KSRC=newer scripts/tree.sh
	fake $EX_BUILD 'am .*under way' 'an export before it is mended' scripts/export.sh
	printf '%s\n' x y z one >>"$kernel/file"
	git -C "$kernel" add file
	fake 0 '' 'what is mended, and the rest' git -C "$kernel" am --continue --empty=keep
	git -C "$kernel" commit -q --amend -m 'two and more'
	fake $EX_BUILD 'two-and-more.patch: its message is' 'another message' scripts/export.sh
	git -C "$kernel" reset -q --hard 'HEAD@{1}'
	fake 0 'series: 2 patches' 'an export of what is there' scripts/export.sh
	fake 0 'up to date: base and 2' 'which is what there is' scripts/tree.sh
	fake 0 '' 'both' scripts/export.sh --check
	rm -rf "$kernel"
	mv "$fake/older-linux" "$kernel"
	fake 0 'up to date' 'as before' scripts/tree.sh

	# A message is the same in both, a change is not made in both by itself.
	git -C "$kernel" reset -q --hard HEAD~1
	sed -i 's/^one/uno/' "$kernel/file"
	git -C "$kernel" commit -qa --amend -m uno
	edit two
	fake 0 'del. older/0001-one.patch' 'another subject' scripts/export.sh
	fake 0 '^older/0001-uno.patch' 'in the other form, too' sh -c 'cd patches && grep -l "PATCH. uno" older/0001-uno.patch 0001-uno.patch'
	fake 0 '^#-new #=' 'and in the list' sed -n 's|^older/0001-uno.patch[[:space:]]*||p' series.older
	fake 0 '# PART first.*0001-uno.patch # PART second' 'and what is said about parts' sh -c 'xargs <series'
	fake $EX_FAIL '0001-uno.patch was not: do so' 'one form alone' scripts/verify.sh series

	# What newer ones have already is an empty commit there, and nothing for am.sh.
	rm "$fake/patches/0001-uno.patch"
	sed -i '/^0001/d' "$fake/series"
	sed -i 's/ #=.*//' "$fake/series.older"
	git -C "$newer" checkout -q -f main
	printf '%s\n' x y z uno >>"$newer/file"
	git -C "$newer" commit -qa -m 'the same as uno'
	fake 0 'left out 0001-uno: the tree has "what is new"' 'what is there already' env BRANCH=c scripts/am.sh newer
	fake 0 'branch d, 1 patches .* 1 left out' 'and the rest' env BRANCH=d scripts/am.sh newer
	rm -rf "$kernel"
	fake 0 '2 patches, 1 of them not for this one' 'a tree of that base' env KSRC=newer scripts/tree.sh
	fake 0 '' 'what it exports' scripts/export.sh --check
}

# boot PLANT CODE REGEX
boot()
{
	local rc=0

	count=$((count + 1))
	say "planted: $1"
	PLANT=$1 LOGDIR=$out/log/planted-$1 QUIET_TIMEOUT=60 TEST=init_ino_test \
		"$top/scripts/boot.sh" test "$arch" >"$work/out" 2>&1 || rc=$?
	if [ $rc != "$2" ] || ! grep -q -E "$3" "$work/out"; then
		bad=$((bad + 1))
		echo "not ok: planted $1: code $rc instead of $2, or no /$3/ in the output"
		sed 's/^/  | /' "$work/out"
	fi
}

case ${1:-} in
'')
	python3 -B -m unittest discover -q -s "$top/scripts/judge" -p 'test_*.py' >"$work/out" 2>&1 || {
		cat "$work/out"
		die $EX_FAIL "tests of what judges failed"
	}
	scripts_on_fakes
	patches_and_tree
	forms_and_bases
	;;
--boot)
	arch_load "${2:?usage: test-harness.sh [--boot ARCH]}"
	boot panic $EX_SPLAT 'Attempted to kill init'
	boot warn $EX_SPLAT 'WARNING: .*planted'
	boot sick $EX_SPLAT 'SICK: planted'
	boot hang $EX_TIMEOUT 'neither console nor report grew'
	boot poweroff $EX_LOST 'no end line'
	boot fail $EX_FAIL 'not ok planted'
	;;
*)
	die 2 "usage: test-harness.sh [--boot ARCH]"
	;;
esac
[ $bad = 0 ] || die $EX_FAIL "$bad of $count tests of the harness failed"
say "harness: $count tests passed"
