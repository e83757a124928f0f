# SPDX-License-Identifier: GPL-2.0
#
# The front door; what is behind each target is a script in scripts/. GNU make turns
# every failure into 2: run the script itself where the exit code matters.

archs	:= $(patsubst configs/arch/%.conf,%,$(wildcard configs/arch/*.conf))
# The host's own, if it is there: one less compiler.
host	:= $(patsubst aarch64,arm64,$(shell uname -m))
# What is given to make is more than what is in the environment.
given	:= $(or $(and $(findstring environment,$(origin ARCHES)),$(findstring command,$(origin ARCH)),\
		$(ARCH)),$(ARCHES),$(ARCH))
ifneq ($(word 2,$(ARCH)),)
$(error ARCH="$(ARCH)": one architecture; several are ARCHES="$(ARCH)")
endif
ARCH	:= $(or $(ARCH),$(if $(word 2,$(given)),,$(given)),$(firstword $(filter $(host),$(archs)) $(archs)))
ARCHES	:= $(or $(given),$(ARCH) $(filter-out $(ARCH),$(patsubst configs/arch/%.conf,%,\
		$(shell grep -l '^by_default=yes' configs/arch/*.conf))))
COUNT	?= 100

export ARCHES TEST COUNT DEBUG VARIANT KSRC BASE_TARBALL BENCH_KERNEL FORCE JOBS RESUME \
	AT BRANCH PARTS PAIRED NSTREE_BUILD MUTANTS

MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.PHONY: help run test shell rerun bench soak archs build boot deps fetch tree export am bases \
	verify verify-each parts compile mutants release-check clean

help:
	@echo 'Targets, on ARCH=$(ARCH) or ARCHES="$(ARCHES)":'
	@echo '  run          build, boot, and list the namespaces of the running guest'
	@echo '  test         build and boot each of ARCHES, run the kselftests, judge'
	@echo '  shell        build, and a prompt in the guest'
	@echo '  rerun        the kselftests in what is built already'
	@echo '  soak         one test many times: TEST=name COUNT=n'
	@echo '  bench        cost of the base and of the series, in guest instructions'
	@echo '  archs        the architectures, with the result of the last run'
	@echo
	@echo '  deps         install, or name, the packages that are missing'
	@echo '  fetch        the base, into the cache'
	@echo '  tree         build/linux: a git tree, base and series, ready to edit'
	@echo '  export       write series, patches/ and the selftests back from build/linux'
	@echo '  am           the series on a new branch of your git tree: KSRC=dir'
	@echo '  bases        the releases that it fits; what is at hand of them'
	@echo '  build        kernel and selftests in build/$(ARCH)'
	@echo '  boot         boot that, with what make run shows'
	@echo '  verify       check the series and the scripts'
	@echo '  compile      what the series touches, with defconfig and allmodconfig, gcc and clang'
	@echo '  verify-each  build and boot after every patch'
	@echo '  parts        build and boot parts of the series alone: PARTS="names"'
	@echo '  mutants      plant the defects of configs/mutants, which tests have to see:'
	@echo '               MUTANTS="names"'
	@echo '  release-check  all of that, on all architectures, into RESULTS.md: takes a day'
	@echo '  clean        remove build/'
	@echo
	@echo 'Variables:'
	@echo '  ARCH=name ARCHES="names"    see make archs; test and release-check take several'
	@echo '  TEST=program[:case]         one test only'
	@echo '  DEBUG=1                     with configs/debug.config, in build/ARCH-debug'
	@echo '  KSRC=dir BASE_TARBALL=file  base of your own, any v6.18.y'
	@echo '  AT=commit BRANCH=name       for am: where it starts, what the branch is called'
	@echo '  PARTS="names"               for am and parts: these parts of the series, and what they need'
	@echo '  BENCH_KERNEL=image          one more column'
	@echo '  DEPS=skip                   do not look at packages'
	@echo '  STRICT=1                    red if something cannot be tested here, as in CI'
	@echo '  JOBS=n                      compilers at a time; all cores by default'

# What a fresh machine lacks, for the architectures that are built
define ready
	@$(if $(filter skip,$(DEPS)),:,scripts/deps.sh $(1))
	@scripts/tree.sh
endef

run: build
	@scripts/boot.sh run $(ARCH)

test:
	$(call ready,$(ARCHES))
	@scripts/test.sh

shell: build
	@scripts/boot.sh shell $(ARCH)

rerun:
	@scripts/boot.sh test $(ARCH)

soak: build
	@scripts/boot.sh soak $(ARCH)

bench:
	$(call ready,$(ARCH))
	@ARCH=$(ARCH) scripts/bench.sh

build:
	$(call ready,$(ARCH))
	@scripts/build.sh $(ARCH)

boot:
	@scripts/boot.sh run $(ARCH)

archs:
	@scripts/archs.sh

deps:
	@scripts/deps.sh $(ARCHES)
	@echo 'everything is installed'

fetch:
	@scripts/fetch.sh

tree:
	@scripts/tree.sh

export:
	@scripts/export.sh

am:
	@scripts/am.sh

bases:
	@scripts/bases.sh

verify:
	$(call ready,$(ARCH))
	@ARCH=$(ARCH) scripts/verify.sh

verify-each:
	$(call ready,$(ARCH))
	@ARCH=$(ARCH) scripts/verify-each.sh

parts:
	$(call ready,$(ARCH))
	@ARCH=$(ARCH) PARTS= scripts/parts.sh $(PARTS)

compile:
	$(call ready,$(or $(given),$(archs)))
	@scripts/compile.sh $(given)

mutants:
	$(call ready,$(ARCH))
	@ARCH=$(ARCH) scripts/mutants.sh

release-check:
	$(call ready,$(if $(given),$(sort $(given) $(ARCH)),$(archs)))
	@ARCH=$(ARCH) ARCHES='$(given)' scripts/release-check.sh

clean:
	@scripts/tree.sh clean
