# SPDX-License-Identifier: Apache-2.0
# One non-recursive Makefile; everything it makes lies below $(BUILD). `make help` lists the targets.

VERSION  := 0.1.0
BUILD    ?= build
PREFIX   ?= /usr/local
BINDIR   ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/udocker
MANDIR   ?= $(PREFIX)/share/man
DOCDIR   ?= $(PREFIX)/share/doc/udocker
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d

CC       ?= cc
CFLAGS   ?= -O2 -g
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
WERROR   ?=
SANITIZE ?=
T        ?=

ifeq ($(filter-out default undefined,$(origin CC)),)
CC := cc
endif

PROGRAMS := udocker udocker-image udocker-bundle udocker-runtime
ROOMS    := pkg/base pkg/cli pkg/conf pkg/archive pkg/registry pkg/store pkg/image pkg/bundle pkg/runtime \
            oci-spec engines

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wvla -Walloca -Wundef -Wformat=2 -Wimplicit-fallthrough -Wcast-qual \
            -Wno-gnu-statement-expression -Wno-gnu-zero-variadic-macro-arguments
ifeq ($(shell $(CC) --version 2>/dev/null | grep -c clang),0)
# -Wpedantic objects to statement expressions and case ranges, which C17 with GNU extensions has.
WARNINGS := $(filter-out -Wpedantic -Wno-gnu-%,$(WARNINGS)) -Wlogical-op -Wduplicated-cond
endif

# With STATIC=PREFIX the programs hold all libraries of that prefix and need none of the machine; see the target of that name.
STATIC   ?=
# musl's threads have 128 KiB of stack unless the program asks for more.
LINKING   = $(if $(STATIC),$(STATIC_LINKING),-pie)
STATIC_LINKING := -static -s -Wl,-z,stack-size=1048576
ALL_CPPFLAGS = $(if $(STATIC),-DUDOCKER_STATIC) -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DUDOCKER_VERSION='"$(VERSION)"' \
               -DUDOCKER_LIBEXECDIR='"$(LIBEXECDIR)"' $(CPPFLAGS)
ALL_CFLAGS   = -std=gnu17 $(WARNINGS) $(if $(WERROR),-Werror) -fPIE -fstack-protector-strong -fno-common \
               -ffunction-sections -fdata-sections -pthread $(if $(SANITIZE),$(SAN_FLAGS),-D_FORTIFY_SOURCE=2) \
               $(CFLAGS)
SAN_FLAGS    = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -U_FORTIFY_SOURCE
ALL_LDFLAGS  = $(LINKING) -Wl,-z,relro,-z,now -Wl,--gc-sections -Wl,--as-needed -pthread \
               $(if $(SANITIZE),$(SAN_FLAGS)) $(LDFLAGS)
# yajl is small and used by every program: within it no start has to look for it.
YAJL        := $(shell $(CC) -print-file-name=libyajl_s.a)
STATIC_LIBS  = -lmimalloc -lyajl_s -lyaml -lseccomp -lcap -larchive -lcurl -lnghttp2 -lssl -lcrypto -lisal -lzstd -llzma -lbz2 -lz
ALL_LIBS     = $(if $(STATIC),$(STATIC_LIBS),$(if $(findstring /,$(YAJL)),$(YAJL),-lyajl) -ldl)

LIB      := $(BUILD)/libudocker.a
LIB_SRC  := $(sort $(wildcard $(addsuffix /*.c,$(ROOMS))))
GUEST_SRC := engines/guest_init.c engines/guest_loader.c engines/guest_within.c
LIB_SRC  := $(filter-out $(GUEST_SRC) engines/guest_keep.c,$(LIB_SRC)) $(wildcard engines/trap/trap*.c)
# The trap engine's image is a program without a C library; its files are compiled a second time with one, for the unit tests.
ARCH_NAME := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
TRAP_SRC := $(filter-out engines/trap/trap%.c,$(sort $(wildcard engines/trap/*.c)))
TRAP_SRC := $(filter-out %_x86_64.c %_aarch64.c,$(TRAP_SRC)) $(wildcard engines/trap/*_$(ARCH_NAME).c)
TRAP_ASM := $(wildcard engines/trap/*_$(ARCH_NAME).S)
TRAP_OBJ := $(TRAP_SRC:%.c=$(BUILD)/freestanding/%.o) $(TRAP_ASM:%.S=$(BUILD)/freestanding/%.o)
TRAP_HOSTED := $(BUILD)/libtrap-hosted.a
# Only for machines whose entry has been written.
TRAP_IMAGE := $(if $(TRAP_ASM),$(BUILD)/bin/udocker-trap)
TRAP_BASE_x86_64  := 0x550000000000
TRAP_BASE_aarch64 := 0x5500000000
TRAP_FLAGS_x86_64 := -mgeneral-regs-only -fcf-protection=none
# Where a release is made without them: they name the folders of the machine.
TRAP_DEBUG = $(lastword -g $(filter -g%,$(CFLAGS)))
TRAP_FLAGS_aarch64 := -mgeneral-regs-only -mno-outline-atomics
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
CMD_SRC  := $(sort $(wildcard cmd/*/*.c))
# A static program opens no library, and takes the place of no function of another.
UNIT_SRC := $(filter-out $(if $(STATIC),tests/unit/test_dl.c tests/unit/test_fs_own.c),$(sort $(wildcard tests/unit/test_*.c)))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/unit/%)
TOOL_SRC := $(sort $(wildcard tests/tools/*.c))
TOOL_LINKED := guestwork trapsignals
TOOL_BIN := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(filter-out tests/tools/faults.c,$(TOOL_SRC))) $(BUILD)/tools/faults.so \
            $(TOOL_LINKED:%=$(BUILD)/tools/%.dynamic) $(BUILD)/tools/payload.dynamic \
            $(if $(shell command -v musl-gcc),$(TOOL_LINKED:%=$(BUILD)/tools/%.musl))
GUEST_INIT := $(BUILD)/bin/udocker-guest-init
GUEST_KEEP := $(BUILD)/bin/udocker-guest-keep.so
BINS     := $(PROGRAMS:%=$(BUILD)/bin/%)
HAVE_CMD  = $(sort $(patsubst cmd/%/main.c,%,$(wildcard cmd/*/main.c)))

# Short lines for people; V=1 shows the commands.
Q = $(if $(V),,@)
say = @$(if $(V),:,printf '  %-5s %s\n' $(1) $@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.PHONY: all tools unit clean help deps deps-check

all: $(patsubst %,$(BUILD)/bin/%,$(filter $(PROGRAMS),$(HAVE_CMD))) $(if $(wildcard engines/guest_init.c),$(GUEST_INIT) $(GUEST_KEEP)) $(TRAP_IMAGE) ## build the programs
tools: $(TOOL_BIN) ## build the helper programs of the tests
unit: $(UNIT_BIN)

# ---- objects -------------------------------------------------------------------------------------
$(BUILD)/obj/%.o: %.c Makefile
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	$(call say,AR)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

cmd_objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard cmd/$(1)/*.c))

# A program: every file of its folder under cmd/, and the library.
$(patsubst %,$(BUILD)/bin/%,$(HAVE_CMD)): $(BUILD)/bin/%: $$(call cmd_objects,$$*) $(LIB)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(ALL_LIBS)

# The first program inside a direct engine: static, no C library, runs in any guest of this architecture.
$(GUEST_INIT): $(GUEST_SRC) $(wildcard engines/guest_*.h) Makefile
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -std=gnu17 $(WARNINGS) $(if $(WERROR),-Werror) -Os -ffreestanding -fno-stack-protector -fno-pie \
	  -fno-asynchronous-unwind-tables -static -nostdlib -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,noseparate-code -o $@ $(GUEST_SRC) -lgcc

# Preloaded beside libfakechroot: names no C library either, so that one does for all guests of this architecture.
$(GUEST_KEEP): engines/guest_keep.c engines/guest_loader.h Makefile
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=gnu17 $(WARNINGS) $(if $(WERROR),-Werror) -Os -ffreestanding -fno-builtin -fno-stack-protector -fPIC \
	  -fno-tree-loop-distribute-patterns -fvisibility=hidden -fno-asynchronous-unwind-tables -shared -nostdlib -s -Wl,--hash-style=both \
	  -Wl,-soname,udocker-guest-keep.so -Wl,--build-id=none -Wl,-z,noexecstack,-z,relro,-z,now -o $@ $<

# The trap engine: launcher, loader and handlers in one static program at an address of its own.
$(BUILD)/freestanding/%.o: %.c Makefile
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=gnu17 $(WARNINGS) $(if $(WERROR),-Werror) -O2 $(TRAP_DEBUG) -ffreestanding -fno-builtin -fno-stack-protector -fpie \
	  -fno-tree-loop-distribute-patterns -fvisibility=hidden -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	  $(TRAP_FLAGS_$(ARCH_NAME)) -fstack-usage -MMD -MP -c -o $@ $<

$(BUILD)/freestanding/%.o: %.S Makefile
	$(call say,AS)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. $(TRAP_FLAGS_$(ARCH_NAME)) -c -o $@ $<

$(BUILD)/bin/udocker-trap: $(TRAP_OBJ)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-Ttext-segment=$(TRAP_BASE_$(ARCH_NAME)) \
	  -Wl,--defsym=trap_image_begin=$(TRAP_BASE_$(ARCH_NAME)) -Wl,--defsym=trap_image_end=_end -o $@ $(TRAP_OBJ)

$(BUILD)/hosted/%.o: %.c Makefile
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) -DTRAP_HOSTED $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(TRAP_HOSTED): $(TRAP_SRC:%.c=$(BUILD)/hosted/%.o)
	$(call say,AR)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(BUILD)/unit/test_trap_%: $(BUILD)/obj/tests/unit/test_trap_%.o $(TRAP_HOSTED) $(LIB)
	$(call say,TEST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(TRAP_HOSTED) $(LIB) $(ALL_LIBS)

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	$(call say,TEST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LIB) $(ALL_LIBS)
.PRECIOUS: $(BUILD)/obj/tests/unit/%.o

# Tools that run inside guests or before the suite: self-contained.
$(BUILD)/tools/%: tests/tools/%.c Makefile
	$(call say,TOOL)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu17 -Wall -Wextra $(if $(WERROR),-Werror) -O1 -g -static -o $@ $<

# The same programs as guests have them that are linked with glibc and with musl.
$(TOOL_LINKED:%=$(BUILD)/tools/%.dynamic) $(TOOL_LINKED:%=$(BUILD)/tools/%.musl) $(BUILD)/tools/payload.dynamic: \
  tests/tools/$$(basename $$(@F)).c Makefile
	$(call say,TOOL)
	@mkdir -p $(@D)
	$(Q)$(if $(filter %.musl,$@),musl-gcc,$(CC)) -D_GNU_SOURCE -std=gnu17 -Wall -Wextra $(if $(WERROR),-Werror) -O1 -g -pthread -o $@ $<

# Preloaded into the programs: makes their writes, renames and syncs fail.
$(BUILD)/tools/faults.so: tests/tools/faults.c Makefile
	$(call say,TOOL)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=gnu17 -Wall -Wextra $(if $(WERROR),-Werror) -O1 -g -shared -fPIC -o $@ $< -ldl

-include $(TRAP_SRC:%.c=$(BUILD)/freestanding/%.d) $(TRAP_SRC:%.c=$(BUILD)/hosted/%.d)
-include $(LIB_OBJ:.o=.d) $(CMD_SRC:%.c=$(BUILD)/obj/%.d) $(UNIT_SRC:%.c=$(BUILD)/obj/%.d)

clean: ## remove what was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F':.*## ' '/^[a-zA-Z_.-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- install -------------------------------------------------------------------------------------
.PHONY: install uninstall
# The Python tool went by udocker.py once, and scripts still call it so.
INSTALLED = $(PROGRAMS:%=$(BINDIR)/%) $(BINDIR)/udocker.py $(addprefix $(LIBEXECDIR)/udocker-,guest-init guest-keep.so trap) \
            $(addprefix $(MANDIR)/man1/,$(notdir $(wildcard man/*.1))) \
            $(addprefix $(MANDIR)/man5/,$(notdir $(wildcard man/*.5))) \
            $(addprefix $(MANDIR)/man7/,$(notdir $(wildcard man/*.7))) \
            $(patsubst man/%,$(DOCDIR)/%,$(wildcard man/examples/*)) \
            $(patsubst completions/%.bash,$(BASHCOMPDIR)/%,$(wildcard completions/*.bash)) \
            $(addprefix $(ZSHCOMPDIR)/,$(notdir $(wildcard completions/_*))) \
            $(addprefix $(FISHCOMPDIR)/,$(notdir $(wildcard completions/*.fish)))

install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(sort $(dir $(INSTALLED:%=$(DESTDIR)%)))
	install -m 755 $(BINS) $(DESTDIR)$(BINDIR)/
	ln -sf udocker $(DESTDIR)$(BINDIR)/udocker.py
	install -m 755 $(GUEST_INIT) $(TRAP_IMAGE) $(DESTDIR)$(LIBEXECDIR)/
	install -m 644 $(GUEST_KEEP) $(DESTDIR)$(LIBEXECDIR)/
	for f in man/*.[157]; do install -m 644 $$f $(DESTDIR)$(MANDIR)/man$${f##*.}/ || exit; done
	install -m 644 man/examples/* $(DESTDIR)$(DOCDIR)/examples/
	for f in completions/*.bash; do install -m 644 $$f $(DESTDIR)$(BASHCOMPDIR)/$$(basename $$f .bash) || exit; done
	install -m 644 completions/_* $(DESTDIR)$(ZSHCOMPDIR)/
	install -m 644 completions/*.fish $(DESTDIR)$(FISHCOMPDIR)/

# A staging tree is left without any directory, a system without ours.
uninstall: ## remove exactly what install puts there
	rm -f $(INSTALLED:%=$(DESTDIR)%)
	-$(if $(DESTDIR),cd $(DESTDIR) && rmdir -p $(patsubst /%,%,$(sort $(dir $(INSTALLED)))),rmdir \
	  $(LIBEXECDIR) $(DOCDIR)/examples $(DOCDIR)) 2>/dev/null

# ---- generated documentation ---------------------------------------------------------------------
# completions/ and man/ come from the command tables of all programs, the settings and the engines' answers. gendocs links
# every program but its main(). What is generated is committed; check-docs looks whether it still fits.
.PHONY: docs check-docs
GENDOCS := $(BUILD)/gendocs
GENDOCS_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(PROGRAMS:%=cmd/%/main.c),$(sort $(wildcard $(PROGRAMS:%=cmd/%/*.c) cmd/gendocs/*.c))))

$(GENDOCS): $(GENDOCS_OBJ) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $(GENDOCS_OBJ) $(LIB) $(ALL_LIBS)

docs: $(GENDOCS) ## completions and manual pages from the tables
	$(GENDOCS) . .

check-docs: $(GENDOCS)
	@rm -rf $(BUILD)/docs
	@$(GENDOCS) . $(BUILD)/docs
	@diff -ru completions $(BUILD)/docs/completions && diff -ru --exclude='*.in' --exclude=examples man $(BUILD)/docs/man || \
	  { echo "check-docs: run 'make docs' and commit what it changes"; exit 1; }
	@echo "check-docs: completions and manual pages fit the tables"

# ---- tests ---------------------------------------------------------------------------------------
.PHONY: check check-long check-unit check-bats check-layers check-startup check-fallback check-suite asan demo bench bench-modes bench-trap
check: ## install what the tests need (Debian packages) and run them all
	tests/deps check
	$(MAKE) check-suite

check-suite: all tools unit check-layers check-startup check-docs check-unit check-fuzz check-bats

check-long: all tools $(TRAP_ARM) ## crashes, storms and layers of a million entries, for an hour; T=PATTERN selects files of tests/long
	BATS_JOBS=$(or $(BATS_JOBS),1) tests/run $(abspath $(BUILD)) "$(T)" long

# The trap engine and what tests/long/trap-aarch64.bats runs in it, where the cross compiler is.
TRAP_ARM := $(if $(wildcard /usr/aarch64-linux-gnu/include/stdio.h),$(if $(shell command -v aarch64-linux-gnu-gcc),$(BUILD)/tools/trap-aarch64.tar))
TRAP_ARM_PARTS := bin/udocker-trap tools/trapsignals tools/trapsignals.dynamic tools/allcalls
.PHONY: trap-aarch64
trap-aarch64 $(BUILD)/tools/trap-aarch64.tar: ## the trap engine for aarch64, in an archive with what its tests need
	$(MAKE) CC=aarch64-linux-gnu-gcc BUILD=$(BUILD)/trap-aarch64 $(TRAP_ARM_PARTS:%=$(BUILD)/trap-aarch64/%)
	@mkdir -p $(BUILD)/tools
	tar -cf $(BUILD)/tools/trap-aarch64.tar --transform='s,.*/,,' $(TRAP_ARM_PARTS:%=$(BUILD)/trap-aarch64/%)

check-unit: all tools unit ## the unit tests; T=PATTERN selects
	tests/run-unit $(BUILD) "$(T)"

check-bats: all tools ## the user-visible behaviour; T=PATTERN selects files
	tests/run $(abspath $(BUILD)) "$(T)"

check-fallback: all unit ## the unit tests with the newer system calls done without
	UDOCKER_TEST_OLD_KERNEL=1 tests/run-unit $(BUILD) "$(T)"

check-layers: ## every #include against the doors between rooms
	python3 tests/lint/check-layers

check-startup: all ## what each program loads before main
	tests/lint/check-startup $(BUILD)

asan: ## the tests under address and undefined-behaviour sanitizers
	$(MAKE) SANITIZE=1 BUILD=$(BUILD)/asan all tools unit
	$(MAKE) SANITIZE=1 BUILD=$(BUILD)/asan check-unit check-fuzz check-bats

demo: ## install what is needed, build, and run a container with every engine that works here
	@tests/deps demo
	@$(MAKE) --no-print-directory all
	@tests/demo $(abspath $(BUILD))

bench: all tools ## measure, beside the engines alone and other tools; T=PATTERN selects
	tests/bench/run $(abspath $(BUILD)) $(or $(BENCH_ROUNDS),21) "$(T)"

bench-modes: all tools ## measure the execution modes alone, and write the README's table of them
	tests/bench/run $(abspath $(BUILD)) $(or $(BENCH_ROUNDS),7) modes | tee $(BUILD)/bench-modes
	python3 tests/bench/readme README.md $(BUILD)/bench-modes

bench-trap: all tools ## measure the trap engine beside a real chroot, PRoot and Fakechroot (as root), and write the README's table and chart
	CHART=$(abspath tests/bench/trap-speed.svg) tests/bench/run $(abspath $(BUILD)) $(or $(BENCH_ROUNDS),11) trap | tee $(BUILD)/bench-trap
	python3 tests/bench/readme README.md $(BUILD)/bench-trap

# ---- static programs -----------------------------------------------------------------------------
# Linked with musl and with libraries built from Debian's sources, which a lock names by digest. They are built once for each state
# of lock, recipe and compiler; STATIC_CACHE may lie elsewhere. Only the fetching needs a network. ARCH: x86_64, aarch64, armhf,
# i386 or ppc64le; programs for another than the machine's are compiled by Debian's cross compilers.
.PHONY: static check-static
ARCH ?= x86_64
FOREIGN = $(filter-out x86_64,$(ARCH))
STATIC_BUILD = $(BUILD)/static$(FOREIGN:%=-%)
STATIC_MAKE = BUILD=$(STATIC_BUILD) CC=$(STATIC_PREFIX)/bin/cc STATIC=$(STATIC_PREFIX) CFLAGS="-O2 -g0" \
  AR=$$($(STATIC_PREFIX)/bin/cc -print-prog-name=ar)
STATIC_CACHE ?= $(BUILD)/static-libraries
STATIC_LOCKS = pkg/static/sources.lock $(if $(FOREIGN),pkg/static/musl.lock)
STATIC_PREFIX = $(abspath $(STATIC_CACHE))/$(ARCH)-$(shell { cat $(STATIC_LOCKS) pkg/static/libraries; gcc --version; \
  dpkg-query -W musl-dev linux-libc-dev; } 2>/dev/null | sha256sum | cut -c1-16)

static: ## programs that need nothing of the machine: $(BUILD)/static/bin; ARCH=aarch64: for that processor, in static-aarch64
	for lock in $(STATIC_LOCKS); do pkg/static/fetch $$lock $(STATIC_CACHE)/sources || exit; done
	pkg/static/libraries $(STATIC_CACHE)/sources $(STATIC_CACHE)/work-$(ARCH) $(STATIC_PREFIX) $(ARCH)
	$(MAKE) $(STATIC_MAKE) all

# The tests' own tools are the machine's.
check-static: dist tools ## unit tests and user-visible behaviour of the static programs; T=PATTERN selects
	cp -r $(BUILD)/tools $(STATIC_BUILD)/
	SUITE_DIST=$(abspath $(BUILD)/$(DIST).tar.gz) $(MAKE) $(STATIC_MAKE) $(if $(T),,check-unit) check-bats

# ---- the engine tarball --------------------------------------------------------------------------
# Engines from Debian's sources, which a lock names by digest, in the layout of udocker-englib: `udocker install --from` takes it, and udocker 1.3.x
# does. They are built once for each state of lock, recipe and compilers; ENGINE_CACHE may lie elsewhere. Only the fetching needs a network.
.PHONY: engines check-engines
# 1.3.x takes what is not less than 1.2.11.
ENGINES_VERSION := 1.2.100
ENGINE_CACHE ?= $(BUILD)/engine-tarball
ENGINE_PREFIX = $(ENGINE_CACHE)/$(shell { cat engines/tarball/sources.lock engines/tarball/build engines/tarball/old_glibc.c; gcc --version; dpkg-query -W \
  libc6-dev libstdc++-12-dev libtalloc-dev libseccomp-dev libcap-dev musl-dev binutils; } 2>/dev/null | sha256sum | cut -c1-16)
ENGINE_TARBALL = $(BUILD)/udocker-engines-$(ENGINES_VERSION).tar.gz

engines: ## PRoot, crun, patchelf and libfakechroot as a tarball for `udocker install --from`
	pkg/static/fetch engines/tarball/sources.lock $(ENGINE_CACHE)/sources
	engines/tarball/build $(ENGINE_CACHE)/sources $(ENGINE_CACHE)/work $(ENGINE_PREFIX)
	engines/tarball/pack $(ENGINE_CACHE)/sources $(ENGINE_PREFIX) $(ENGINES_VERSION) $(ENGINE_TARBALL)

check-engines: all tools engines ## build the engine tarball once more and compare, install it, run each engine
	@mkdir -p $(BUILD)/again
	@rm -rf $(BUILD)/again/*
	engines/tarball/build $(ENGINE_CACHE)/sources $(BUILD)/again/elsewhere $(BUILD)/again/built
	engines/tarball/pack $(ENGINE_CACHE)/sources $(BUILD)/again/built $(ENGINES_VERSION) $(BUILD)/again/$(notdir $(ENGINE_TARBALL))
	cmp $(ENGINE_TARBALL) $(BUILD)/again/$(notdir $(ENGINE_TARBALL))
	tests/run $(abspath $(BUILD)) engines long

deps: ## install the packages of the build and the tests (as root or through sudo)
	tests/deps check

# ---- fuzzing -------------------------------------------------------------------------------------
.PHONY: fuzz check-fuzz
FUZZ_TIME ?= 60
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
REPLAY_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/replay/%)

$(BUILD)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(LIB)
	$(call say,TEST)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-prototypes $(ALL_LDFLAGS) -o $@ $< tests/fuzz/replay.c $(LIB) $(ALL_LIBS)

check-fuzz: $(REPLAY_BIN) ## replay the fuzzing corpus
	@for b in $(REPLAY_BIN); do n=$${b##*/fuzz_}; printf '%s: ' $$n; $$b $$(find tests/fuzz/corpus/$$n -type f) || exit 1; done

$(BUILD)/fuzz/%: tests/fuzz/%.c $(LIB_SRC)
	@mkdir -p $(@D)
	$(MAKE) CC=clang BUILD=$(BUILD)/fuzz-lib CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined" $(BUILD)/fuzz-lib/libudocker.a
	clang $(ALL_CPPFLAGS) -std=gnu17 -O1 -g -fsanitize=fuzzer,address,undefined -pthread -o $@ $< $(BUILD)/fuzz-lib/libudocker.a $(ALL_LIBS)

fuzz: $(FUZZ_BIN) ## FUZZ_TIME seconds of libFuzzer for each parser (needs clang)
	@for b in $(FUZZ_BIN); do n=$${b##*/fuzz_}; echo "== $$n"; mkdir -p $(BUILD)/corpus/$$n; \
	  $$b -max_total_time=$(FUZZ_TIME) -max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=0 -verbosity=0 \
	    -artifact_prefix=$(BUILD)/corpus/crash-$$n- $(BUILD)/corpus/$$n tests/fuzz/corpus/$$n || exit 1; done

# ---- lint ----------------------------------------------------------------------------------------
.PHONY: lint lint-format lint-tidy lint-shell lint-headers format hooks compile_commands.json
C_FILES = $(shell git ls-files '*.c' '*.h' ':!tests/fixtures')

lint: lint-format lint-style lint-headers lint-shell lint-man lint-tidy check-layers ## all static checks

lint-format:
	@$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)
	@echo "lint-format: $(words $(C_FILES)) files"

.PHONY: lint-style lint-man
lint-style:
	python3 tests/lint/check-style
	python3 tests/lint/check-fixes
	python3 tests/lint/check-calls

# Those of another processor are compiled with the program for it.
OTHER_HEADERS = $(patsubst %,\%_%.h,$(filter-out $(ARCH_NAME),x86_64 aarch64))
HEADERS = $(filter-out $(OTHER_HEADERS),$(filter %.h,$(C_FILES)))
lint-headers:
	@for h in $(HEADERS); do \
	  printf '#include "%s"\n' $$h | $(CC) $(ALL_CPPFLAGS) -std=gnu17 -Wall -Wextra -Werror -fsyntax-only -x c - || exit 1; done
	@! command -v musl-gcc >/dev/null || for h in $(HEADERS); do \
	  printf '#include "%s"\n' $$h | musl-gcc -idirafter /usr/include -idirafter /usr/include/$$($(CC) -print-multiarch) $(ALL_CPPFLAGS) \
	    -std=gnu17 -Wall -Wextra -Werror -fsyntax-only -x c - || exit 1; done
	@echo "lint-headers: every header compiles alone, with glibc's and musl's"

# SC2154: status, output and stderr are set by bats.
lint-shell:
	shellcheck -S warning -e SC2154 -x pkg/static/fetch pkg/static/libraries pkg/static/pack engines/tarball/build engines/tarball/pack tests/run tests/run-unit tests/as-user tests/deps tests/demo tests/tools/addprograms tests/tools/arm-machine tests/tools/mkdebian tests/tools/mkimage tests/tools/mkmpi tests/tools/mkrootfs tests/tools/crash tests/tools/storm tests/tools/newer-proot tests/tools/singularity-double tests/tools/store.bash tests/lint/check-startup .ci/run man/examples/*.sbatch tests/*.bash tests/*.bats tests/long/*.bats

lint-man:
	mandoc -T lint -W warning man/*.[157]

# One file a call: the va_list check of clang-tidy 14 carries what it knows of one file over to the next.
TIDY_SRC = $(LIB_SRC) $(CMD_SRC) $(GUEST_SRC) $(TRAP_SRC)
lint-tidy:
	@mkdir -p $(BUILD)
	@printf '%s\n' $(TIDY_SRC) | xargs -P $$(nproc) -n 1 tests/lint/tidy $(CLANG_TIDY)
	@echo "lint-tidy: $(words $(TIDY_SRC)) files"

format: ## clang-format every C file
	@$(CLANG_FORMAT) -i $(C_FILES)

hooks: ## a pre-commit hook that runs the fast checks
	printf '#!/bin/sh\nexec make -s lint-format lint-style check-layers\n' > $$(git rev-parse --git-path hooks)/pre-commit
	chmod +x $$(git rev-parse --git-path hooks)/pre-commit

compile_commands.json: ## for clangd
	@{ echo '['; sep=; for f in $(LIB_SRC) $(CMD_SRC); do \
	  printf '%s{"directory":"%s","file":"%s","command":"cc %s -std=gnu17 -c %s"}' "$$sep" "$(CURDIR)" $$f \
	    "$(subst ",\\\",$(ALL_CPPFLAGS))" $$f; sep=',\n'; done; echo ']'; } > $@

# ---- releases ------------------------------------------------------------------------------------
.PHONY: dist dist-source check-dist deb check-deb check-cross
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)
DIST = udocker-$(VERSION)-linux-$(ARCH)

# A folder of engines, with bin, lib and doc, to travel along; nothing: none. Ours are those of `make engines`, for this machine's processor.
OUR_ENGINES = $(BUILD)/dist-engines
ENGINES ?= $(if $(FOREIGN),,$(OUR_ENGINES)/udocker_dir)

.PHONY: dist-engines
dist-engines: engines
	rm -rf $(OUR_ENGINES)
	mkdir -p $(OUR_ENGINES)
	tar -C $(OUR_ENGINES) -xzf $(ENGINE_TARBALL)

# Without a prefix: it is unpacked anywhere.
dist: static $(if $(filter $(OUR_ENGINES)/%,$(ENGINES)),dist-engines) ## a tarball of the static programs and all that belongs to them, for any Linux; ARCH as above
	rm -rf $(STATIC_BUILD)/dist
	$(MAKE) $(STATIC_MAKE) install DESTDIR=$(abspath $(STATIC_BUILD))/dist/$(DIST) PREFIX=
	pkg/static/pack $(STATIC_BUILD)/dist/$(DIST) $(STATIC_PREFIX)/doc "$(ENGINES)" $(SOURCE_DATE_EPOCH) >$(BUILD)/$(DIST).tar.gz.new
	mv $(BUILD)/$(DIST).tar.gz.new $(BUILD)/$(DIST).tar.gz
	@echo $(BUILD)/$(DIST).tar.gz

check-dist: dist tools ## make it a second time, elsewhere: the same bytes; with LIBRARIES=again those too; then it is used in the user lands of other Debians
	rm -rf $(BUILD)/again
	mkdir -p $(BUILD)/again/static-libraries
	cp -r $(STATIC_CACHE)/sources $(if $(LIBRARIES),,$(STATIC_PREFIX)) $(BUILD)/again/static-libraries/
	$(MAKE) BUILD=$(BUILD)/again STATIC_CACHE=$(BUILD)/again/static-libraries ENGINE_CACHE=$(ENGINE_CACHE) dist
	cmp $(BUILD)/$(DIST).tar.gz $(BUILD)/again/$(DIST).tar.gz
	rm -rf $(BUILD)/again
	SUITE_DIST=$(abspath $(BUILD)/$(DIST).tar.gz) tests/run $(abspath $(BUILD)) userlands long

check-cross: all tools ## the release for ARCH (aarch64), by qemu-user
	$(MAKE) ARCH=$(or $(FOREIGN),aarch64) dist
	SUITE_CROSS=$(abspath $(BUILD))/udocker-$(VERSION)-linux-$(or $(FOREIGN),aarch64).tar.gz tests/run $(abspath $(BUILD)) cross.bats

# debian/ is made of pkg/debian, the version and the time. DEB: other words for dpkg-buildpackage.
DEB ?= -b
deb: ## a Debian package of programs that use the system's libraries, in $(BUILD)/deb
	rm -rf $(BUILD)/deb
	mkdir -p $(BUILD)/deb/udocker-$(VERSION)
	git ls-files -z ':!tests' ':!.ci' | xargs -0 cp --parents -t $(BUILD)/deb/udocker-$(VERSION)
	cp -r pkg/debian $(BUILD)/deb/udocker-$(VERSION)/debian
	printf 'udocker (%s) unstable; urgency=medium\n\n  * A new version; CHANGELOG.md says what is new.\n\n -- %s  %s\n' $(VERSION) \
	  "$$(sed -n 's/^Maintainer: //p' pkg/debian/control)" "$$(LC_ALL=C date -u -R -d @$(SOURCE_DATE_EPOCH))" \
	  >$(BUILD)/deb/udocker-$(VERSION)/debian/changelog
	cd $(BUILD)/deb/udocker-$(VERSION) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD -u WERROR dpkg-buildpackage -us -uc $(DEB)
	@ls $(BUILD)/deb/*.deb

check-deb: deb all tools ## lintian has nothing against it; it is installed, used and removed
	lintian -EI --pedantic --fail-on error,warning $(BUILD)/deb/*.changes
	SUITE_DEB=$(abspath $(BUILD))/deb/udocker_$(VERSION)_$(shell dpkg --print-architecture).deb tests/run $(abspath $(BUILD)) deb.bats

dist-source: ## a source tarball, the same bytes for the same commit
	@mkdir -p $(BUILD)
	git archive --format=tar --prefix=udocker-$(VERSION)/ HEAD | gzip -n9 > $(BUILD)/udocker-$(VERSION).tar.gz
	@echo $(BUILD)/udocker-$(VERSION).tar.gz
