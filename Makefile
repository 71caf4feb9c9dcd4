# The commands of a newcomer. Everything else is CMake presets (CMakePresets.json) and scripts in tools/.
#   make run    install what is missing, build, start the whole stack with the sample application
#   make test   install, build, run every test and check; ends with "N passed, N failed"
SHELL := /bin/sh
DATA ?= $(CURDIR)/build/data

.PHONY: all build run test lint bench fuzz soak clean ui deb test-deploy test-boot install-run install-test install-rivals install-cross \
	install-boot

all: build

install-run:
	@tools/install.sh run
install-test:
	@tools/install.sh run test cross
install-cross:
	@tools/install.sh run cross
install-boot:
	@tools/install.sh run test cross boot
install-rivals:
	@tools/install.sh run test rivals

ui: install-run
	@tools/build_ui.sh

# Leaves the program at build/cairn.
build: install-run ui
	@cmake --preset release >build-release.log 2>&1 || { cat build-release.log; exit 1; }
	@rm -f build-release.log
	@ninja -C build cairn

run: build
	@exec build/cairn serve --demo --data="$(DATA)"

test: install-test
	@tools/test.sh

lint: install-test
	@tools/lint.sh

bench: install-rivals build
	@bench/run.sh

# FUZZ_SECONDS for each target.
fuzz: install-test
	@tools/fuzz.sh $${FUZZ_SECONDS:-60}

soak: install-test build
	@tools/soak.sh

clean:
	rm -rf build build-dev build-clang build-tsan build-fuzz build-cov ui/dist

# Debian packages of the built program, in build/packages: this machine's architecture, and arm64.
deb: install-cross build
	@deploy/packages/make_deb.sh
	@case $$(dpkg --print-architecture) in arm64) ;; *) \
	    deploy/packages/cross.sh >build/cross.log 2>&1 || { tail -40 build/cross.log; exit 1; }; \
	    deploy/packages/make_deb.sh build-arm64/cairn arm64 ;; esac

test-deploy: install-test build
	@tests/deploy/run.sh

# Long, and needs root: the packages and the user data in a Debian 12 that boots.
test-boot: install-boot deb
	@tests/deploy/boot.sh
